import { engineError, quote } from '../../errors/index.js';
import { closestName } from '../../util/closest-name.js';
import { KeyedMutex } from '../../util/keyed-mutex.js';
import { createLog, type Log } from '../../util/log.js';
import { type CallOptions, throwIfAborted } from '../../util/signals.js';
import type { VolumeDriver } from '../volume-driver.js';
import { assertDriverName, driverKey, LOCAL_DRIVER } from './driver-name.js';
import {
  type AcquireDriverOptions,
  type AllDrivers,
  type DriverStoreOptions,
  type LimitsOf,
  readLimits,
  type UnregisterDriverOptions,
} from './driver-store-options.js';
import { guardDriver } from './guard-driver.js';
import type { GuardedDriver } from './guarded-driver.js';
import { assertVolumeDriver } from './host-driver.js';
import { type DriverLease, LeaseBook } from './lease-book.js';
import { PluginDrivers } from './plugin-drivers.js';
import { type DriverSummary, summarizeDriver, summarizeProblem } from './summarize-drivers.js';

/** What all views of one store share. */
interface Shared {
  readonly host: Map<string, GuardedDriver>;
  readonly plugins: PluginDrivers | undefined;
  readonly leases: LeaseBook;
  readonly holdTurns: KeyedMutex;
  readonly limitsOf: LimitsOf;
  readonly protectedDirs: readonly string[];
  readonly allowedDirs: readonly string[];
  readonly log: Log;
}

const LONGEST_HOLDER = 256;

/**
 * The volume drivers of a host program: those it registers, the built-in one, and plugins. Where several have a name,
 * the first in this order has it. `x` and `x:latest` are one driver.
 *
 * Every driver that is handed out is guarded, see `GuardedDriver`; what one driver does or does not do delays no other.
 *
 * @public
 */
export class DriverStore implements AsyncDisposable {
  readonly #shared: Shared;
  readonly #builtIn: GuardedDriver | undefined;
  #isClosed = false;

  private constructor(shared: Shared, builtIn: GuardedDriver | undefined) {
    this.#shared = shared;
    this.#builtIn = builtIn;
  }

  /** Contacts no driver. Throws BAD_OPTION, UNKNOWN_OPTION, BAD_DRIVER, DRIVER_EXISTS. */
  static async open(options: DriverStoreOptions = {}): Promise<DriverStore> {
    const limitsOf = readLimits(options);
    throwIfAborted(options.signal);
    const { drivers = [], plugins, protectedDirs = [], allowedDirs = [] } = options;
    const rules = { limitsOf, protectedDirs, allowedDirs, log: createLog('drivers') };
    const shared: Shared = {
      ...rules,
      host: new Map(),
      plugins: plugins && new PluginDrivers({ ...rules, plugins }),
      leases: new LeaseBook(),
      holdTurns: new KeyedMutex(),
    };
    const store = new DriverStore(shared, undefined);
    for (const driver of drivers) store.register(driver);
    return store;
  }

  /**
   * The same store with a built-in driver `local`, for one root. What is registered here or there is seen by both.
   *
   * @internal
   */
  withBuiltIn(local: GuardedDriver): DriverStore {
    this.#assertOpen();
    return new DriverStore(this.#shared, local);
  }

  /**
   * Adds a driver of the host. From then on it goes before a built-in one or a plugin of that name. Throws BAD_DRIVER,
   * DRIVER_EXISTS when the host has registered that name.
   */
  register(driver: VolumeDriver): void {
    this.#assertOpen();
    assertVolumeDriver(driver);
    const { host, limitsOf, protectedDirs, allowedDirs, log } = this.#shared;
    const key = driverKey(driver.name);
    if (host.has(key)) {
      throw engineError('DRIVER_EXISTS', `a driver ${quote(driver.name)} is registered`, {
        details: { driver: driver.name },
      });
    }
    const limits = limitsOf(key);
    host.set(key, guardDriver(driver, { source: 'host', limits, protectedDirs, allowedDirs, log }));
  }

  /**
   * Takes a driver of the host out again; one that is not there is no error. Calls that run go on, leases can still be
   * released. Throws DRIVER_IN_USE with `details.holders` while there are leases, unless forced.
   */
  unregister(name: string, options: UnregisterDriverOptions = {}): void {
    assertDriverName('name', name);
    const key = driverKey(name);
    if (!this.#shared.host.has(key)) return;
    const holders = this.#shared.leases.holders(key);
    if (holders.length > 0 && options.force !== true) {
      throw engineError('DRIVER_IN_USE', `driver ${quote(name)} is used by ${quote(holders)}`, {
        details: { driver: name, holders },
      });
    }
    this.#shared.host.delete(key);
  }

  /** The driver. Throws DRIVER_NOT_FOUND, and what `find` throws. */
  async get(name: string, call: CallOptions = {}): Promise<GuardedDriver> {
    const driver = await this.find(name, call);
    if (driver !== undefined) return driver;
    const names = this.names();
    const nearest = closestName(name, names);
    const hint = nearest === undefined ? '' : ` (did you mean ${nearest}?)`;
    throw engineError('DRIVER_NOT_FOUND', `there is no volume driver ${quote(name)}${hint}`, {
      details: { driver: name, names },
    });
  }

  /**
   * The driver; `undefined` when there is none for sure. Throws BAD_DRIVER_NAME; what keeps a plugin from being asked:
   * DRIVER_UNREACHABLE, DRIVER_TIMEOUT, DRIVER_SUSPENDED, DRIVER_FAILED and the plugin lookup's own errors.
   */
  async find(name: string, call: CallOptions = {}): Promise<GuardedDriver | undefined> {
    this.#assertOpen();
    assertDriverName('driver', name);
    throwIfAborted(call.signal);
    const key = driverKey(name);
    const own = this.#shared.host.get(key) ?? (key === LOCAL_DRIVER ? this.#builtIn : undefined);
    return own ?? this.#shared.plugins?.find(name, call);
  }

  /** The driver, kept in place for a holder until the lease is released. Throws what `get` throws, BAD_OPTION. */
  async acquire(name: string, options: AcquireDriverOptions): Promise<DriverLease> {
    const { holder } = options;
    if (typeof holder !== 'string' || holder === '' || holder.length > LONGEST_HOLDER) {
      throw engineError(
        'BAD_OPTION',
        `field holder ${quote(holder)} is not a text of 1 to ${LONGEST_HOLDER} characters`,
        {
          details: { field: 'holder', value: quote(holder) },
        },
      );
    }
    const driver = await this.get(name, options);
    const { leases, holdTurns, plugins } = this.#shared;
    const key = driverKey(driver.name);
    const turn = `${key} ${holder}`;
    const isPlugin = driver.source === 'plugin' && plugins !== undefined;

    const drop = async () => {
      if (!leases.drop(key, holder) || !isPlugin) return;
      // In turn: a release that is late must not take the hold of the holder's next lease.
      await holdTurns.run(turn, async () => {
        if (!leases.holders(key).includes(holder)) await plugins.release(driver.name, holder);
      });
    };
    leases.add(key, holder);
    if (isPlugin) {
      try {
        await holdTurns.run(turn, () => plugins.hold(driver.name, holder, options), options);
      } catch (error) {
        // Whether it took effect is not known. Not waited for: the caller gets its error now.
        void drop();
        throw error;
      }
    }
    let released: Promise<void> | undefined;
    const release = () => (released ??= drop());
    return { driver, holder, release, [Symbol.asyncDispose]: release };
  }

  /** All drivers, sorted by name, with what they say of themselves. One that does not answer is listed with its problem. */
  async list(call: CallOptions = {}): Promise<DriverSummary[]> {
    const { drivers, problems } = await this.all(call);
    const { leases } = this.#shared;
    const asked = drivers.map((driver) => summarizeDriver(driver, leases.holders(driverKey(driver.name)), call));
    const summaries = await Promise.all(asked);
    summaries.push(...problems.map((problem) => summarizeProblem(problem, leases.holders(driverKey(problem.name)))));
    return summaries.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** All drivers, to be used. Throws only when the call is canceled: what plugins there are is a problem among the others. */
  async all(call: CallOptions = {}): Promise<AllDrivers> {
    this.#assertOpen();
    throwIfAborted(call.signal);
    const { host, plugins } = this.#shared;
    const drivers = new Map(host);
    if (this.#builtIn !== undefined && !drivers.has(LOCAL_DRIVER)) drivers.set(LOCAL_DRIVER, this.#builtIn);
    if (plugins === undefined) return { drivers: [...drivers.values()], problems: [] };
    const found = await plugins.list(call);
    for (const driver of found.drivers) {
      const key = driverKey(driver.name);
      if (key !== LOCAL_DRIVER && !drivers.has(key)) drivers.set(key, driver);
    }
    const problems = found.problems.filter(({ name }) => !drivers.has(driverKey(name)));
    return { drivers: [...drivers.values()], problems };
  }

  /** Names of the host's drivers, the built-in one, and plugins that were used already; sorted. */
  names(): string[] {
    const { host, plugins } = this.#shared;
    const names = new Map((plugins?.names() ?? []).map((name) => [driverKey(name), name]));
    if (this.#builtIn !== undefined) names.set(LOCAL_DRIVER, this.#builtIn.name);
    for (const [key, driver] of host) names.set(key, driver.name);
    return [...names.values()].sort();
  }

  /** Takes no more calls. Drivers that were handed out go on to work, and leases can be released. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
  }

  /** Closes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #assertOpen(): void {
    if (this.#isClosed) throw engineError('CLOSED', 'the DriverStore was closed');
  }
}
