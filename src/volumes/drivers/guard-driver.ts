import { engineError, quote } from '../../errors/index.js';
import { assertSafeName, newToken } from '../../util/ids.js';
import { createLog, type Log } from '../../util/log.js';
import { type CallOptions, raceSignal, throwIfAborted } from '../../util/signals.js';
import type { DriverVolume, VolumeDriver, VolumeScope } from '../volume-driver.js';
import { CallRunner, type DriverCallOptions } from './call-runner.js';
import { DirectoryCheck } from './check-directory.js';
import { checkVolume, checkVolumes, mountpointFault, plainPath } from './check-volume.js';
import { badAnswer, type DriverCall } from './driver-error.js';
import type { DriverCallWarnings, DriverSource, GuardedDriver } from './guarded-driver.js';
import { type DriverLimits, type DriverMethod, resolveLimits } from './limits.js';

/** A driver as the guard calls it: what a host implements, and what only plugins have. */
export interface DriverBehind extends Omit<VolumeDriver, 'scope' | 'mount'> {
  readonly scope?: VolumeScope;
  /** Absent: as long as this object lives, it is the same. */
  readonly generation?: string;
  mount(
    request: { readonly name: string; readonly id: string },
    call: DriverCallOptions,
  ):
    | Promise<{ readonly mountpoint: string; readonly isTranslated?: boolean }>
    | { readonly mountpoint: string; readonly isTranslated?: boolean };
  askScope?(call: DriverCallOptions): Promise<VolumeScope>;
  path?(name: string, call: DriverCallOptions): Promise<string | undefined>;
}

/** How a driver is guarded. */
export interface GuardOptions {
  readonly source: DriverSource;
  /** From the most special to the most general. */
  readonly limits?: readonly DriverLimits[];
  /** Directories that hold state of the engine; a mountpoint in them is refused, unless the driver is built in. */
  readonly protectedDirs?: readonly string[];
  /** Parts of protectedDirs that a driver may offer all the same. */
  readonly allowedDirs?: readonly string[];
  readonly log?: Log;
}

/** Puts deadlines, a breaker and checks between a driver and its callers. The driver is not called yet. */
export function guardDriver(driver: DriverBehind, options: GuardOptions): GuardedDriver {
  return new DriverGuard(driver, options);
}

class DriverGuard implements GuardedDriver {
  readonly name: string;
  readonly source: DriverSource;
  readonly #driver: DriverBehind;
  readonly #token = newToken();
  readonly #calls: CallRunner;
  readonly #directories: DirectoryCheck;
  readonly #log: Log;
  #scope: { readonly generation: string; readonly asked: Promise<VolumeScope> } | undefined;

  constructor(driver: DriverBehind, options: GuardOptions) {
    // Kept: an object of the host may change its mind.
    this.name = driver.name;
    this.source = options.source;
    this.#driver = driver;
    this.#calls = new CallRunner(this.name, resolveLimits(...(options.limits ?? [])));
    this.#directories = new DirectoryCheck({
      protectedDirs: this.source === 'built-in' ? [] : (options.protectedDirs ?? []),
      allowedDirs: options.allowedDirs ?? [],
    });
    this.#log = options.log ?? createLog('drivers');
  }

  get generation(): string {
    return this.#driver.generation ?? this.#token;
  }

  get isSuspended(): boolean {
    return this.#calls.isSuspended;
  }

  async scope(call: CallOptions = {}): Promise<VolumeScope> {
    throwIfAborted(call.signal);
    const { generation } = this;
    if (this.#scope?.generation !== generation) {
      const asked = this.#askScope();
      this.#scope = { generation, asked };
      // An answer that did not come is asked for again by the next caller.
      asked.catch(() => {
        if (this.#scope?.asked === asked) this.#scope = undefined;
      });
    }
    return raceSignal((this.#scope as { asked: Promise<VolumeScope> }).asked, call.signal);
  }

  /** No caller's signal: several wait for the one answer. */
  async #askScope(): Promise<VolumeScope> {
    const driver = this.#driver;
    if (driver.askScope === undefined) return driver.scope ?? 'local';
    return this.#calls.run('capabilities', undefined, {}, (call) => driver.askScope?.(call) ?? 'local');
  }

  async create(
    request: { readonly name: string; readonly options: Readonly<Record<string, string>> },
    call: CallOptions = {},
  ): Promise<void> {
    const { name } = request;
    assertSafeName('name', name);
    // A copy without prototype: any key is data, and the driver can't change the caller's object.
    const options: Record<string, string> = Object.assign(Object.create(null), request.options);
    for (const [key, value] of Object.entries(options)) {
      if (typeof value === 'string') continue;
      throw engineError('BAD_OPTION', `field options[${quote(key, 64)}] ${quote(value)} is no text`, {
        details: { field: `options[${quote(key, 64)}]`, value: quote(value) },
      });
    }
    await this.#calls.run('create', name, call, (call) => this.#driver.create({ name, options }, call));
  }

  async remove(name: string, call: CallOptions = {}): Promise<void> {
    assertSafeName('name', name);
    await this.#calls.run('remove', name, call, (call) => this.#driver.remove(name, call));
  }

  async mount(
    request: { readonly name: string; readonly id: string },
    call: CallOptions = {},
  ): Promise<{ readonly mountpoint: string }> {
    const { name, id } = request;
    assertSafeName('name', name);
    assertSafeName('id', id);
    return this.#calls.run('mount', name, call, async (call) => {
      const subject = this.#subject('mount', name);
      const answer = (await this.#driver.mount({ name, id }, call)) as {
        [K in 'mountpoint' | 'isTranslated']?: unknown;
      };
      const fault = mountpointFault(answer?.mountpoint);
      if (fault !== undefined) throw badAnswer(subject, `the mountpoint ${quote(answer?.mountpoint)}, which ${fault}`);
      const mountpoint = plainPath(answer.mountpoint as string);
      const followsLinks = this.source !== 'plugin' || answer.isTranslated !== true;
      await this.#directories.assertUsable(subject, mountpoint, { followsLinks, signal: call.signal });
      return { mountpoint };
    });
  }

  async unmount(request: { readonly name: string; readonly id: string }, call: CallOptions = {}): Promise<void> {
    const { name, id } = request;
    assertSafeName('name', name);
    assertSafeName('id', id);
    await this.#calls.run('unmount', name, call, (call) => this.#driver.unmount({ name, id }, call));
  }

  async get(name: string, call: DriverCallWarnings = {}): Promise<DriverVolume | undefined> {
    assertSafeName('name', name);
    return this.#calls.run('get', name, call, async (inner) => {
      const answer: unknown = await this.#driver.get(name, inner);
      if (answer === undefined) return undefined;
      const subject = this.#subject('get', name);
      const volume = checkVolume(subject, answer, this.#warner(call));
      if (volume?.name === name) return volume;
      throw badAnswer(subject, `the volume ${quote((answer as DriverVolume).name)}`);
    });
  }

  async list(call: DriverCallWarnings = {}): Promise<readonly DriverVolume[]> {
    return this.#calls.run('list', undefined, call, async (inner) => {
      const answer: unknown = await this.#driver.list(inner);
      return checkVolumes(this.#subject('list', undefined), answer, this.#warner(call));
    });
  }

  async path(name: string, call: DriverCallWarnings = {}): Promise<string | undefined> {
    const driver = this.#driver;
    if (driver.path === undefined) return (await this.get(name, call))?.mountpoint;
    assertSafeName('name', name);
    return this.#calls.run('path', name, call, async (inner) => {
      const path: unknown = await driver.path?.(name, inner);
      if (path === undefined || path === '') return undefined;
      const fault = mountpointFault(path);
      if (fault === undefined) return plainPath(path as string);
      this.#warner(call)(name, `its path ${quote(path)} was left out: it ${fault}`);
      return undefined;
    });
  }

  #subject(method: DriverMethod, volume: string | undefined): DriverCall {
    return { driver: this.name, method, volume };
  }

  #warner(call: DriverCallWarnings): (volume: string, message: string) => void {
    return (volume, message) => {
      this.#log('driver %s: volume %s: %s', this.name, volume, message);
      // A listener that throws must not make the driver look broken.
      try {
        call.onWarning?.({ driver: this.name, ...(volume !== '' && { volume }), message });
      } catch (error) {
        this.#log('onWarning failed: %O', error);
      }
    };
  }
}
