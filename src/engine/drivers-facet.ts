import type { CallOptions } from '../util/signals.js';
import {
  type AcquireDriverOptions,
  type DriverLease,
  type DriverStore,
  type DriverSummary,
  driverKey,
  type GuardedDriver,
  LOCAL_DRIVER,
  type UnregisterDriverOptions,
} from '../volumes/drivers/index.js';
import type { VolumeDriver } from '../volumes/volume-driver.js';
import type { VolumeParts } from './volume-parts.js';
import type { Gate } from './volumes-facet.js';

/**
 * Volume drivers of an engine: those of this program, the built-in `local`, and plugins. Where several have a name, the
 * first in this order has it; `x` and `x:latest` are one driver. Each method throws CLOSED once the engine is closed.
 *
 * @public
 */
export class Drivers {
  readonly #parts: Pick<VolumeParts, 'hostDrivers' | 'drivers'>;
  readonly #gate: Gate;
  readonly #registered: Set<string>;

  private constructor(parts: Pick<VolumeParts, 'hostDrivers' | 'drivers'>, gate: Gate, given: readonly VolumeDriver[]) {
    this.#parts = parts;
    this.#gate = gate;
    this.#registered = new Set(given.map(({ name }) => driverKey(name)));
  }

  /** For the engine. @internal */
  static make(
    parts: Pick<VolumeParts, 'hostDrivers' | 'drivers'>,
    gate: Gate,
    given: readonly VolumeDriver[] = [],
  ): Drivers {
    return new Drivers(parts, gate, given);
  }

  /**
   * Adds a driver of this program; volumes name it by `driver`. It exists in this process only: what it has can be used
   * by others that register it too. Throws BAD_DRIVER, DRIVER_EXISTS.
   */
  register(driver: VolumeDriver): void {
    this.#gate.assertOpen();
    this.#parts.hostDrivers.register(driver);
    this.#registered.add(driverKey(driver.name));
  }

  /**
   * Takes a driver of this program out again; one that is not there is no error. Its volumes stay on record. Throws
   * DRIVER_IN_USE while there are leases, unless forced.
   */
  unregister(name: string, options: UnregisterDriverOptions = {}): void {
    this.#gate.assertOpen();
    this.#parts.hostDrivers.unregister(name, options);
    this.#registered.delete(driverKey(name));
  }

  /** The driver. Throws DRIVER_NOT_FOUND, and what `find` throws. */
  get(name: string, call: CallOptions = {}): Promise<GuardedDriver> {
    return this.#call(call, (drivers, closing) => drivers.get(name, closing));
  }

  /** The driver; `undefined` when there is none for sure. Throws BAD_DRIVER_NAME, and what keeps a plugin from being asked. */
  find(name: string, call: CallOptions = {}): Promise<GuardedDriver | undefined> {
    return this.#call(call, (drivers, closing) => drivers.find(name, closing));
  }

  /** The driver, kept in place until the lease is released. Throws what `get` throws. */
  acquire(name: string, options: AcquireDriverOptions): Promise<DriverLease> {
    return this.#call(options, (drivers, closing) => drivers.acquire(name, { ...options, ...closing }));
  }

  /** All drivers, by name, with what they say of themselves. One that does not answer is listed with its problem. */
  list(call: CallOptions = {}): Promise<DriverSummary[]> {
    return this.#call(call, (drivers, closing) => drivers.list(closing));
  }

  /** Names of this program's drivers, the built-in one, and plugins that were used already; sorted. */
  names(): string[] {
    this.#gate.assertOpen();
    const names = this.#parts.hostDrivers.names();
    return names.includes(LOCAL_DRIVER) ? names : [...names, LOCAL_DRIVER].sort();
  }

  /** False where a driver of this program stands in place of the built-in one. @internal */
  isLocalBuiltIn(): boolean {
    return !this.#registered.has(LOCAL_DRIVER);
  }

  #call<T>(
    options: CallOptions,
    work: (drivers: DriverStore, call: { readonly signal: AbortSignal }) => Promise<T>,
  ): Promise<T> {
    return this.#gate.call(async () => {
      const call = this.#gate.orClosing(options);
      return await work(await this.#parts.drivers(), call);
    });
  }
}
