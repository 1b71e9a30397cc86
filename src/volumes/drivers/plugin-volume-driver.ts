import { createHash } from 'node:crypto';
import { EngineError, engineError, quote } from '../../errors/index.js';
import { isFullId } from '../../util/ids.js';
import type { PluginEndpoint } from '../plugin-lookup.js';
import type { DriverVolume, VolumeScope } from '../volume-driver.js';
import type { DriverCallOptions } from './call-runner.js';
import { mountpointFault } from './check-volume.js';
import { callDetails, describeCall } from './driver-error.js';
import type { DriverBehind } from './guard-driver.js';
import type { DriverMethod } from './limits.js';
import { PluginAnswer } from './plugin-answers.js';
import { refusalWords, saysExists, saysMountedBySame, saysNoSuchVolume, saysNotMounted } from './plugin-words.js';

const WIRE_NAMES = {
  create: 'Create',
  remove: 'Remove',
  mount: 'Mount',
  unmount: 'Unmount',
  path: 'Path',
  get: 'Get',
  list: 'List',
  capabilities: 'Capabilities',
} as const satisfies Partial<Record<DriverMethod, string>>;

/**
 * Speaks Docker's volume plugin protocol (`/VolumeDriver.*`) to a plugin.
 *
 * A volume is known not to exist only when Get answers 200 with an object that has neither `Volume` nor `Err`, or with
 * an `Err` (any status) whose words say so of the volume. All else is a failure that tells nothing about the volume.
 */
export class PluginVolumeDriver implements DriverBehind {
  readonly #endpoint: PluginEndpoint;
  /** How often each holder of a volume was mounted. */
  readonly #mounts = new Map<string, number>();

  constructor(endpoint: PluginEndpoint) {
    this.#endpoint = endpoint;
  }

  get name(): string {
    return this.#endpoint.name;
  }

  get generation(): string {
    return this.#endpoint.generation;
  }

  async create(
    request: { readonly name: string; readonly options: Readonly<Record<string, string>> },
    call: DriverCallOptions,
  ): Promise<void> {
    // Sorted, and null for none, as Docker sends them.
    const options = Object.entries(request.options).sort(([a], [b]) => (a < b ? -1 : 1));
    const body = { Name: request.name, Opts: options.length === 0 ? null : Object.fromEntries(options) };
    try {
      await this.#post('create', request.name, body, call);
    } catch (error) {
      const words = refusalWords(error);
      if (words === undefined || !saysExists(words)) throw error;
      if ((await this.get(request.name, call)) === undefined) throw error;
    }
  }

  async remove(name: string, call: DriverCallOptions): Promise<void> {
    try {
      await this.#post('remove', name, { Name: name }, call);
    } catch (error) {
      if (!isNoSuchVolume(error, name)) throw error;
    }
  }

  async mount(
    request: { readonly name: string; readonly id: string },
    call: DriverCallOptions,
  ): Promise<{ readonly mountpoint: string; readonly isTranslated: boolean }> {
    const { name } = request;
    const id = wireId(request.id);
    const holder = `${name} ${id}`;
    const before = this.#mounts.get(holder) ?? 0;
    // Before the answer: a mount that fails late may have taken effect.
    this.#mounts.set(holder, before + 1);
    let given: string | undefined;
    try {
      given = (await this.#post('mount', name, { Name: name, ID: id }, call)).text('Mountpoint');
    } catch (error) {
      const words = refusalWords(error);
      if (words === undefined || !saysMountedBySame(words, id)) throw error;
      this.#mounts.set(holder, Math.max(1, before));
    }
    const mountpoint = given ?? (await this.#askPath(name, call)) ?? '';
    const hostPath = this.#hostPath(mountpoint) ?? '';
    return { mountpoint: hostPath, isTranslated: hostPath !== mountpoint };
  }

  /** As often as it was mounted: some plugins count, and refuse what is more; to them it is not mounted then. */
  async unmount(request: { readonly name: string; readonly id: string }, call: DriverCallOptions): Promise<void> {
    const { name } = request;
    const id = wireId(request.id);
    const holder = `${name} ${id}`;
    const mounts = Math.max(1, this.#mounts.get(holder) ?? 1);
    for (let done = 0; done < mounts; done++) {
      try {
        await this.#post('unmount', name, { Name: name, ID: id }, call);
      } catch (error) {
        const words = refusalWords(error);
        const isGone = words !== undefined && (saysNotMounted(words) || saysNoSuchVolume(words, name));
        if (!isGone && (done === 0 || words === undefined)) throw error;
        break;
      }
    }
    this.#mounts.delete(holder);
  }

  async get(name: string, call: DriverCallOptions): Promise<DriverVolume | undefined> {
    let answer: PluginAnswer;
    try {
      answer = await this.#post('get', name, { Name: name }, call);
    } catch (error) {
      if (isNoSuchVolume(error, name)) return undefined;
      throw error;
    }
    const volume = answer.object('Volume');
    return volume === undefined ? undefined : this.#volume(volume, name);
  }

  async list(call: DriverCallOptions): Promise<readonly DriverVolume[]> {
    const answer = await this.#post('list', undefined, {}, call);
    const subject = { driver: this.name, method: 'list' } as const;
    return answer.array('Volumes').map((entry) => {
      try {
        return this.#volume(new PluginAnswer(subject, entry), undefined);
      } catch {
        // One entry does not spoil the list: the guard reports and skips what is no volume.
        return entry as DriverVolume;
      }
    });
  }

  /** Where the plugin says that the content is; it need not say, and a failure is as good as nothing. */
  async path(name: string, call: DriverCallOptions): Promise<string | undefined> {
    return this.#hostPath(await this.#askPath(name, call));
  }

  /** Optional in the protocol: a plugin that answers anything else than `global` is local. */
  async askScope(call: DriverCallOptions): Promise<VolumeScope> {
    try {
      const answer = await this.#post('capabilities', undefined, {}, call);
      const scope = answer.object('Capabilities')?.text('Scope');
      return scope?.toLowerCase() === 'global' ? 'global' : 'local';
    } catch (error) {
      if (EngineError.is(error) && ANSWERED.has(error.reason)) return 'local';
      throw error;
    }
  }

  async #askPath(name: string, call: DriverCallOptions): Promise<string | undefined> {
    try {
      return (await this.#post('path', name, { Name: name }, call)).text('Mountpoint');
    } catch (error) {
      if (EngineError.is(error) && ANSWERED.has(error.reason)) return undefined;
      throw error;
    }
  }

  #hostPath(path: string | undefined): string | undefined {
    // What goes up would leave the plugin when it is translated: the guard gets and refuses it as it is.
    return path === undefined || mountpointFault(path) !== undefined ? path : this.#endpoint.hostPath(path);
  }

  #volume(answer: PluginAnswer, asked: string | undefined): DriverVolume {
    const mountpoint = this.#hostPath(answer.text('Mountpoint'));
    const createdAt = answer.text('CreatedAt');
    const status = answer.raw('Status') as Readonly<Record<string, unknown>> | undefined;
    return {
      name: answer.text('Name') ?? asked ?? '',
      ...(mountpoint !== undefined && { mountpoint }),
      ...(createdAt !== undefined && !createdAt.startsWith('0001-01-01') && { createdAt: new Date(createdAt) }),
      ...(status !== undefined && { status }),
    };
  }

  async #post(
    method: keyof typeof WIRE_NAMES,
    volume: string | undefined,
    body: unknown,
    call: DriverCallOptions,
  ): Promise<PluginAnswer> {
    const subject = { driver: this.name, method, volume };
    const answer = await this.#endpoint.call(`VolumeDriver.${WIRE_NAMES[method]}`, body, {
      signal: call.signal,
      // The signal has the deadline of the method; a limit of the client's own would come before it.
      timeoutMs: LONGEST_MS,
    });
    const members = new PluginAnswer(subject, answer);
    const err = members.text('Err');
    if (err === undefined) return members;
    throw engineError('DRIVER_FAILED', `${describeCall(subject)} failed: ${quote(err, 500)}`, {
      details: { ...callDetails(subject), err: err.slice(0, 4_000) },
    });
  }
}

/** Longest time that a timer takes. */
const LONGEST_MS = 0x7fff_ffff;

/** The plugin was there and answered, even if not as it should. */
const ANSWERED = new Set(['PLUGIN_CALL_FAILED', 'PLUGIN_BAD_ANSWER', 'DRIVER_FAILED', 'DRIVER_BAD_ANSWER']);

function isNoSuchVolume(error: unknown, name: string): boolean {
  const words = refusalWords(error);
  return words !== undefined && saysNoSuchVolume(words, name);
}

/** Docker's mount ids are 64 hex digits; a holder with another id gets one that is always the same. */
function wireId(id: string): string {
  return isFullId(id) ? id : createHash('sha256').update(id).digest('hex');
}
