import type { CallOptions } from '../../util/signals.js';
import type { DriverVolume, VolumeScope } from '../volume-driver.js';

/** Where a driver comes from. @public */
export type DriverSource = 'host' | 'built-in' | 'plugin';

/** Something a driver told that was left out or looks wrong, and did not make the call fail. @public */
export interface DriverWarning {
  /** The driver's full name. */
  readonly driver: string;
  /** The volume that it is about, where it has a name. */
  readonly volume?: string;
  /** What it is, a sentence without a full stop. */
  readonly message: string;
}

/** Options of calls whose answer may be usable only in part. @public */
export interface DriverCallWarnings extends CallOptions {
  /** Called for each thing that was left out of the answer. */
  readonly onWarning?: (warning: DriverWarning) => void;
}

/**
 * A volume driver behind deadlines, a breaker and checks of its answers. All methods throw what the driver's own typed
 * errors say, or DRIVER_FAILED, DRIVER_UNREACHABLE, DRIVER_TIMEOUT, DRIVER_SUSPENDED, DRIVER_BAD_ANSWER, each with
 * `details.driver`, `.method` and `.volume`; CANCELED when the signal aborts; BAD_NAME before the driver is asked.
 *
 * Calls don't wait for each other. A call that timed out or was canceled may still take effect in the driver: after a
 * mount that failed so, unmount with the same id.
 *
 * @public
 */
export interface GuardedDriver {
  /** Full name, with its tag where it has one. */
  readonly name: string;
  /** Where it comes from. */
  readonly source: DriverSource;
  /** Another text once the driver was registered anew or its plugin restarted. */
  readonly generation: string;
  /** True while the driver is left alone because it did not answer. */
  readonly isSuspended: boolean;
  /** Asked once per generation; `local` where the driver does not say. */
  scope(call?: CallOptions): Promise<VolumeScope>;
  /** Makes a volume; one that the driver has already is no error. */
  create(
    request: { readonly name: string; readonly options: Readonly<Record<string, string>> },
    call?: CallOptions,
  ): Promise<void>;
  /** Removes a volume; one that does not exist is no error. */
  remove(name: string, call?: CallOptions): Promise<void>;
  /** The mountpoint is an absolute path of a directory that is there, and none that holds state of the engine. */
  mount(
    request: { readonly name: string; readonly id: string },
    call?: CallOptions,
  ): Promise<{ readonly mountpoint: string }>;
  /** Ends what the id holds. */
  unmount(request: { readonly name: string; readonly id: string }, call?: CallOptions): Promise<void>;
  /** The volume; `undefined` only when the driver says for sure that it does not exist. */
  get(name: string, call?: DriverCallWarnings): Promise<DriverVolume | undefined>;
  /** All volumes with valid names, each once. */
  list(call?: DriverCallWarnings): Promise<readonly DriverVolume[]>;
  /** Where the content of a volume is now, if it is anywhere; a driver that can't say is no error. */
  path(name: string, call?: DriverCallWarnings): Promise<string | undefined>;
}
