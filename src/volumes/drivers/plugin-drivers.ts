import type { Log } from '../../util/log.js';
import { type CallOptions, raceSignal, sleep } from '../../util/signals.js';
import type { PluginEndpoint, PluginLookup, PluginProblem } from '../plugin-lookup.js';
import { CallRunner } from './call-runner.js';
import { timedOut } from './driver-error.js';
import { driverKey, LOCAL_DRIVER } from './driver-name.js';
import { guardDriver } from './guard-driver.js';
import type { GuardedDriver } from './guarded-driver.js';
import { type DriverLimits, resolveLimits } from './limits.js';
import { PluginVolumeDriver } from './plugin-volume-driver.js';

const CAPABILITY = 'VolumeDriver';
/** Nobody waits for one plugin longer than this to learn of the others. */
const LIST_GRACE_MS = 2_000;
/** When the search itself is given up. */
const LIST_LIMIT_MS = 30_000;
const RELEASE_LIMIT_MS = 10_000;

export interface PluginDriversDeps {
  readonly plugins: PluginLookup;
  readonly limitsOf: (key: string) => readonly DriverLimits[];
  readonly protectedDirs: readonly string[];
  readonly allowedDirs: readonly string[];
  readonly log: Log;
}

interface PluginDriverList {
  readonly drivers: readonly GuardedDriver[];
  readonly problems: readonly PluginProblem[];
}

/** The plugins that are volume drivers. One driver object for each as long as the plugin stays the same. */
export class PluginDrivers {
  readonly #deps: PluginDriversDeps;
  readonly #known = new Map<string, { readonly generation: string; readonly driver: GuardedDriver }>();
  #listing: Promise<PluginDriverList> | undefined;
  /** Searches for names, so that a plugin that hangs while it is activated is not waited for each time. */
  readonly #searches = new Map<string, CallRunner>();

  constructor(deps: PluginDriversDeps) {
    this.#deps = deps;
  }

  /** Undefined when there is none for sure. */
  async find(name: string, call: CallOptions): Promise<GuardedDriver | undefined> {
    const key = driverKey(name);
    if (key === LOCAL_DRIVER) return undefined;
    const search = this.#searches.get(key) ?? new CallRunner(name, resolveLimits(...this.#deps.limitsOf(key)));
    this.#searches.set(key, search);
    let endpoint: PluginEndpoint | undefined;
    try {
      endpoint = await search.run('find', undefined, call, (call) => this.#deps.plugins.find(key, CAPABILITY, call));
    } finally {
      if (!search.hasSilence) this.#searches.delete(key);
    }
    if (endpoint !== undefined) return this.#driver(endpoint);
    this.#known.delete(key);
    return undefined;
  }

  /**
   * Those that can be found. One that hangs while it is looked at keeps nobody for long: after a while those that were
   * found before are given, with a problem, and the search goes on for the next caller.
   */
  async list(call: CallOptions): Promise<PluginDriverList> {
    this.#listing ??= this.#searchAll().finally(() => {
      this.#listing = undefined;
    });
    const grace = new AbortController();
    try {
      return await raceSignal(Promise.race([this.#listing, this.#giveKnownLater(grace.signal)]), call.signal);
    } finally {
      grace.abort();
    }
  }

  async #searchAll(): Promise<PluginDriverList> {
    const limits = { deadlinesMs: { find: LIST_LIMIT_MS } };
    const search = new CallRunner('*', resolveLimits(limits));
    try {
      const { plugins, problems } = await search.run('find', undefined, {}, (call) =>
        this.#deps.plugins.list(CAPABILITY, call),
      );
      return { drivers: plugins.map((endpoint) => this.#driver(endpoint)), problems };
    } catch (error) {
      return this.#knownWith(error as Error);
    }
  }

  async #giveKnownLater(signal: AbortSignal): Promise<PluginDriverList> {
    // Ended early: somebody has a better answer.
    await sleep(LIST_GRACE_MS, { signal }).catch(() => {});
    return this.#knownWith(timedOut({ driver: '*', method: 'find' }, LIST_GRACE_MS));
  }

  #knownWith(error: Error): PluginDriverList {
    const drivers = [...this.#known.values()].map(({ driver }) => driver);
    return { drivers, problems: [{ name: '*', error }] };
  }

  /** Those that were found already, by name. */
  names(): string[] {
    return [...this.#known.values()].map(({ driver }) => driver.name);
  }

  async hold(name: string, holder: string, call: CallOptions): Promise<void> {
    const search = new CallRunner(name, resolveLimits(...this.#deps.limitsOf(driverKey(name))));
    await search.run('find', undefined, call, (call) => this.#deps.plugins.hold?.(name, CAPABILITY, holder, call));
  }

  /** Never fails and never takes long: a plugin in any state can be let go. */
  async release(name: string, holder: string): Promise<void> {
    const limits = { deadlinesMs: { find: RELEASE_LIMIT_MS } };
    const search = new CallRunner(name, resolveLimits(limits));
    try {
      await search.run('find', undefined, {}, () => this.#deps.plugins.release?.(name, CAPABILITY, holder));
    } catch (error) {
      this.#deps.log('releasing plugin %s for %s: %O', name, holder, error);
    }
  }

  #driver(endpoint: PluginEndpoint): GuardedDriver {
    const key = driverKey(endpoint.name);
    const { generation } = endpoint;
    const known = this.#known.get(key);
    if (known !== undefined && known.generation === generation) return known.driver;
    const { protectedDirs, allowedDirs, log } = this.#deps;
    const limits = this.#deps.limitsOf(key);
    const driver = guardDriver(new PluginVolumeDriver(endpoint), {
      source: 'plugin',
      limits,
      protectedDirs,
      allowedDirs,
      log,
    });
    this.#known.set(key, { generation, driver });
    return driver;
  }
}
