import { assertKnownOptions } from '../../util/known-options.js';
import type { CallOptions } from '../../util/signals.js';
import type { PluginLookup, PluginProblem } from '../plugin-lookup.js';
import type { VolumeDriver } from '../volume-driver.js';
import { assertDriverName, driverKey } from './driver-name.js';
import type { GuardedDriver } from './guarded-driver.js';
import { type DriverLimits, resolveLimits } from './limits.js';

/** What a DriverStore is opened with. @public */
export interface DriverStoreOptions extends CallOptions, DriverLimits {
  /** Drivers of the host program. */
  readonly drivers?: readonly VolumeDriver[];
  /** Where plugins are looked for. @defaultValue nowhere */
  readonly plugins?: PluginLookup;
  /** Limits of single drivers, by name; they go before the general ones. */
  readonly limits?: Readonly<Record<string, DriverLimits>>;
  /** Directories whose content no driver may offer as a volume: where engines keep their state. */
  readonly protectedDirs?: readonly string[];
  /** Parts of protectedDirs that drivers may offer all the same. */
  readonly allowedDirs?: readonly string[];
}

/** How a driver is unregistered. @public */
export interface UnregisterDriverOptions {
  /** Also while somebody holds a lease. */
  readonly force?: boolean;
}

/** How a driver is acquired. @public */
export interface AcquireDriverOptions extends CallOptions {
  /** Who needs the driver: an id that tells holders apart. */
  readonly holder: string;
}

/** Drivers to use, and what could not be asked. @public */
export interface AllDrivers {
  /** Those that can be used. */
  readonly drivers: readonly GuardedDriver[];
  /** Plugins that may be volume drivers, but did not say. */
  readonly problems: readonly PluginProblem[];
}

/** Limits that hold for a driver, the most special first. */
export type LimitsOf = (key: string) => readonly DriverLimits[];

/** Checks the options and gives the limits of each driver. Throws BAD_OPTION, UNKNOWN_OPTION, BAD_DRIVER_NAME. */
export function readLimits(options: DriverStoreOptions): LimitsOf {
  assertKnownOptions(options, {
    drivers: true,
    plugins: true,
    limits: true,
    deadlinesMs: true,
    breaker: true,
    protectedDirs: true,
    allowedDirs: true,
    signal: true,
  });
  resolveLimits(options);
  const special = new Map<string, DriverLimits>();
  for (const [name, limits] of Object.entries(options.limits ?? {})) {
    assertDriverName('limits', name);
    resolveLimits(limits);
    special.set(driverKey(name), limits);
  }
  return (key) => {
    const own = special.get(key);
    return own === undefined ? [options] : [own, options];
  };
}
