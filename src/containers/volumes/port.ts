import type { ProcessIdentity } from '../../os/index.js';
import type { CallOptions } from '../../util/signals.js';

/** Who uses a volume: a container, by its id. One with an `owner` is gone when that process is. */
export interface ContainerHolder {
  readonly id: string;
  readonly kind: 'container' | 'ephemeral';
  readonly owner?: ProcessIdentity;
}

/** A volume that a container is to have. */
export interface WantedVolume extends CallOptions {
  readonly name: string;
  readonly driver?: string;
  readonly options?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly anonymous?: boolean;
  readonly ifExists: 'error' | 'return-if-equal' | 'return';
  readonly holder: ContainerHolder;
}

/** What containers need of a VolumeStore. */
export interface ContainerVolumes {
  /** Makes the volume or takes the one that exists, and holds it in the same step: no prune comes between. */
  create(wanted: WantedVolume): Promise<{ readonly name: string; readonly driver: string }>;
  /** Holds a volume that exists. Idempotent. */
  hold(name: string, holder: ContainerHolder, call?: CallOptions): Promise<unknown>;
  /** Makes its content accessible. Idempotent for one holder. */
  mount(
    name: string,
    options: { readonly holder: ContainerHolder } & CallOptions,
  ): Promise<{ readonly mountpoint: string; readonly driver: string }>;
  /** The reverse of `mount`; the hold stays. Idempotent; a volume or holder that is unknown is no error. */
  unmount(name: string, holderId: string, call?: CallOptions): Promise<unknown>;
  /** Unmounts and drops the hold. Idempotent; a volume or holder that is unknown is no error. */
  release(name: string, holderId: string, call?: CallOptions): Promise<unknown>;
  /** Throws NOT_FOUND, CONFLICT (VOLUME_IN_USE) while somebody holds it. */
  remove(name: string, call?: CallOptions): Promise<unknown>;
}

/** Gives the store, opening it with the first call: an engine whose containers have no volumes never does. */
export type VolumesSource = () => Promise<ContainerVolumes>;
