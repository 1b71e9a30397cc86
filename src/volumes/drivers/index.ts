export { assertDriverName, driverKey, LOCAL_DRIVER, sameDriver } from './driver-name.js';
export { DriverStore } from './driver-store.js';
export type {
  AcquireDriverOptions,
  AllDrivers,
  DriverStoreOptions,
  UnregisterDriverOptions,
} from './driver-store-options.js';
export { type DriverBehind, type GuardOptions, guardDriver } from './guard-driver.js';
export type { DriverCallWarnings, DriverSource, DriverWarning, GuardedDriver } from './guarded-driver.js';
export type { DriverLease } from './lease-book.js';
export type { BreakerOptions, DriverLimits, DriverMethod } from './limits.js';
export type { DriverProblem, DriverSummary } from './summarize-drivers.js';
