import type { ProcessIdentity } from '../../os/process-identity.js';
import type { CallOptions } from '../../util/signals.js';
import type { VolumeScope } from '../volume-driver.js';

/** A volume as the store knows it. @public */
export interface Volume {
  readonly name: string;
  /** Full name of the driver that has it, with its tag where it has one. */
  readonly driver: string;
  readonly scope: VolumeScope;
  /** What it was created with; no prototype, so any key is data. */
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** True for one that was created without a name. */
  readonly anonymous: boolean;
  /** False for one that a driver has and that nobody has used through this root yet. */
  readonly recorded: boolean;
  readonly createdAt: Date | undefined;
  /** Host path of its content, where its driver told one just now. */
  readonly mountpoint: string | undefined;
}

/** A volume with all that can be learnt of it. @public */
export interface VolumeInspection extends Volume {
  /** Whatever its driver tells of it. */
  readonly status: Readonly<Record<string, unknown>>;
  readonly holders: readonly VolumeHolder[];
}

/** What holds a volume. @public */
export type HolderKind = 'container' | 'ephemeral' | 'host';

/** Who is going to hold a volume. @public */
export interface HolderInput {
  /** A safe name: a container's id, or what the host program likes. The same id is the same holder, in any process. */
  readonly id: string;
  /**
   * `container`: the store may drop the hold when `holderExists` says that the container is gone. `host`: stays until
   * it is released. @defaultValue `ephemeral` with an owner, else `host`
   */
  readonly kind?: HolderKind;
  /** The hold lasts while this process lives, at most; it is kept in the run dir and costs no flushing to disk. */
  readonly owner?: ProcessIdentity;
}

/** Someone who needs a volume to exist. @public */
export interface VolumeHolder {
  readonly id: string;
  readonly kind: HolderKind;
  readonly since: Date;
  readonly owner: ProcessIdentity | undefined;
  /** Its driver was told to mount it for this holder. */
  readonly mounted: boolean;
}

/** A volume made accessible for one holder. @public */
export interface VolumeMount {
  readonly name: string;
  readonly driver: string;
  /** Id of the holder. */
  readonly holder: string;
  /** Absolute host path of the content. */
  readonly mountpoint: string;
  /** What the driver knows this use by: the same for all mounts of one holder until it unmounts. */
  readonly mountId: string;
}

/** Why a list may lack something. @public */
export interface VolumeWarning {
  /**
   * `driver-failed`: it could not be asked, its volumes are those that were known. `name-of-other-driver`: it has a
   * volume whose name belongs to another driver's. `lost`: recorded, in use, and its driver has it no more.
   * `record-unreadable`: see `error`.
   */
  readonly kind: 'driver-failed' | 'name-of-other-driver' | 'lost' | 'record-unreadable';
  readonly driver: string | undefined;
  readonly volume: string | undefined;
  readonly message: string;
  readonly error: Error | undefined;
}

/** Options of `volumes.create`. @public */
export interface CreateVolumeOptions extends CallOptions {
  /** A safe name. Without one the volume is anonymous: its name is 64 random hex digits. */
  readonly name?: string;
  /** With or without tag. @defaultValue the driver that already has this name, else `local` */
  readonly driver?: string;
  readonly options?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  /** Marks it as one that nobody asked for by name. @defaultValue true without a name */
  readonly anonymous?: boolean;
  /**
   * What becomes of a name that exists. `return-if-equal`: given back when it has the wanted driver, options and
   * labels, else VOLUME_CONFLICT. `error`: VOLUME_EXISTS. `return`: given back as it is.
   * @defaultValue `return-if-equal`: calling twice is harmless, and a volume that is not what was asked for is never
   * handed out in silence
   */
  readonly ifExists?: 'error' | 'return-if-equal' | 'return';
  /** Holds it from the moment it exists, so that no prune can come between. */
  readonly holder?: HolderInput;
}

/** Options of `volumes.mount`. @public */
export interface MountVolumeOptions extends CallOptions {
  readonly holder: HolderInput;
  /** For the event only: where the holder sees it. */
  readonly destination?: string;
  /** For the event only. @defaultValue false */
  readonly readOnly?: boolean;
  /** For the event only. */
  readonly propagation?: string;
}

/** Options of `volumes.remove`. @public */
export interface RemoveVolumeOptions extends CallOptions {
  /**
   * A volume that does not exist is no error, and one whose driver is not here any more is forgotten. Never removes
   * what is in use. @defaultValue false
   */
  readonly force?: boolean;
}

/** Options of `volumes.release`. @public */
export interface ReleaseVolumeOptions extends CallOptions {
  /** Drops the hold also when the driver fails to unmount; the unmount is tried again when the volume is needed. @defaultValue false */
  readonly force?: boolean;
}

/** Which volumes; all fields that are given must fit, of an array any one. @public */
export interface VolumeFilter {
  /** The whole name, or an expression that it must match. */
  readonly name?: string | RegExp | readonly (string | RegExp)[];
  readonly prefix?: string | readonly string[];
  /** With or without tag. */
  readonly driver?: string | readonly string[];
  /** `key` or `key=value`. */
  readonly label?: string | readonly string[];
  /** All of them; `true`: any value. */
  readonly labels?: Readonly<Record<string, string | true>>;
  /** True: nobody holds it. */
  readonly dangling?: boolean;
  readonly anonymous?: boolean;
  readonly scope?: VolumeScope | readonly VolumeScope[];
}

/** Options of `volumes.list`. @public */
export interface ListVolumesOptions extends VolumeFilter, CallOptions {}

/** What `volumes.list` gives. @public */
export interface VolumeList {
  /** By name. */
  readonly volumes: readonly Volume[];
  readonly warnings: readonly VolumeWarning[];
}

/** Options of `volumes.prune`. @public */
export interface PruneVolumesOptions extends CallOptions {
  /** Also those that have a name. @defaultValue false: only anonymous ones, as Docker does since version 23 */
  readonly all?: boolean;
  /** @defaultValue `local` */
  readonly driver?: string | readonly string[];
  /** Only with all of these; `true`: any value. */
  readonly labels?: Readonly<Record<string, string | true>>;
  /** Not with any of these. */
  readonly labelsNot?: Readonly<Record<string, string | true>>;
  /** Also `local` volumes with options: what they stand for is elsewhere. @defaultValue false */
  readonly withOptions?: boolean;
  /** A last word on each. */
  readonly filter?: (volume: Volume) => boolean;
  /** Only tells what would go. @defaultValue false */
  readonly dryRun?: boolean;
}

/** What `volumes.prune` did, or would do. @public */
export interface PruneReport {
  readonly removed: readonly { readonly name: string; readonly sizeBytes: number | undefined }[];
  readonly reclaimedBytes: number;
  /** Those that could not be removed; one that somebody took meanwhile is not among them. */
  readonly failed: readonly { readonly name: string; readonly error: Error }[];
  /** False when the signal ended it before it had seen all. */
  readonly complete: boolean;
  readonly warnings: readonly VolumeWarning[];
}

/** Options of `volumes.usage`. @public */
export interface VolumeUsageOptions extends VolumeFilter, CallOptions {
  /** Called while a volume is measured. */
  readonly onProgress?: (progress: { readonly name: string; readonly sizeBytes: number }) => void;
}

/** How much a volume takes. @public */
export interface VolumeUsage {
  readonly name: string;
  readonly driver: string;
  /** `undefined` where it can't be told: another driver's, or content that is elsewhere. */
  readonly sizeBytes: number | undefined;
  readonly holders: number;
}

/** Options of `volumes.forget`. @public */
export interface ForgetVolumesOptions extends CallOptions {
  /** Also while living holders exist, or a process works on it. @defaultValue false */
  readonly force?: boolean;
}
