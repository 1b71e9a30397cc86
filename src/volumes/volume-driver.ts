import type { CallOptions } from '../util/signals.js';

/** Where a driver's volumes exist: on this host alone, or on every host of a cluster. @public */
export type VolumeScope = 'local' | 'global';

/** A volume as its driver knows it. @public */
export interface DriverVolume {
  /** The name that it was created with. */
  readonly name: string;
  /** Absolute host path of its content, where the driver knows one now. */
  readonly mountpoint?: string;
  /** When it was made, where the driver knows. */
  readonly createdAt?: Date;
  /** Whatever the driver wants to tell; JSON values. */
  readonly status?: Readonly<Record<string, unknown>>;
}

/**
 * What a host implements to bring a volume driver of its own. Any method may be synchronous. Names are `SAFE_NAME`s
 * (letters, digits, `_.-`, at most 128). Every call carries a signal that ends when the caller gives up or the
 * driver's deadline passes; a driver that ignores it is abandoned, not waited for.
 *
 * Prove one with `volumeDriverContract` of `caisson/testing`.
 *
 * @public
 */
export interface VolumeDriver {
  /** What `driver` in options says. A safe name, `local` only where it replaces the built-in one. */
  readonly name: string;
  /** Where its volumes exist. @defaultValue `local` */
  readonly scope?: VolumeScope;
  /** Makes a volume. Called again with the same name (after a crash) it must succeed. */
  create(
    request: { readonly name: string; readonly options: Readonly<Record<string, string>> },
    call: CallOptions,
  ): Promise<void> | void;
  /** Removes a volume and its content. One that does not exist is no error. */
  remove(name: string, call: CallOptions): Promise<void> | void;
  /**
   * Makes the content of a volume accessible; gives its absolute host path. Each holder mounts with an id of its own;
   * the same id again is the same holder.
   */
  mount(
    request: { readonly name: string; readonly id: string },
    call: CallOptions,
  ): Promise<{ readonly mountpoint: string }> | { readonly mountpoint: string };
  /** One holder does not need it any more. An id that holds nothing is no error. */
  unmount(request: { readonly name: string; readonly id: string }, call: CallOptions): Promise<void> | void;
  /**
   * The volume; `undefined` says for sure that it does not exist. Whatever else goes wrong must be thrown: a volume
   * that can't be asked about is kept.
   */
  get(name: string, call: CallOptions): Promise<DriverVolume | undefined> | DriverVolume | undefined;
  /** All volumes that it has. */
  list(call: CallOptions): Promise<readonly DriverVolume[]> | readonly DriverVolume[];
}
