import type { Mount } from '../os/mount.js';
import type { CallOptions } from '../util/signals.js';

/** Disk use of one snapshot's own data. @public */
export interface SnapshotUsage {
  readonly bytes: number;
  readonly inodes: number;
}

/** One snapshot as the snapshotter knows it. @public */
export interface SnapshotInfo {
  /** The key of an active snapshot or the name of a committed one. */
  readonly key: string;
  readonly kind: 'active' | 'view' | 'committed';
  readonly parent: string | undefined;
}

/**
 * Keeps file-system trees that are built on each other.
 *
 * Vocabulary: an *active* snapshot is writable and has a key that the caller chose; *committing* it turns it into a
 * *committed* snapshot with a name, which is immutable and may be the parent of others; a *view* is a read-only
 * active one. Names of image layers are chain ids; keys of container roots are container ids.
 *
 * Rules for every implementation (the exported contract suite checks them):
 * - `prepare`, `view`, `commit`, `remove` are atomic: after a crash at any instruction the snapshot is there whole or
 *   not at all once `recover()` ran.
 * - `remove` is idempotent. Removing a snapshot that has children fails with SNAPSHOT_IN_USE.
 * - Nothing is mounted by a snapshotter: `mounts` returns what the caller mounts, so runtime and snapshotter share only data.
 * - Calls for different keys may run at once, also in several processes.
 * - Keys and names match `[a-zA-Z0-9][a-zA-Z0-9_.:-]{0,255}`.
 *
 * @public
 */
export interface Snapshotter {
  readonly name: string;
  /** Makes a writable snapshot on `parent` (empty without). Throws SNAPSHOT_EXISTS, SNAPSHOT_NOT_FOUND (parent). */
  prepare(key: string, parent: string | undefined, call?: CallOptions): Promise<readonly Mount[]>;
  /** Makes a read-only snapshot on `parent`. */
  view(key: string, parent: string, call?: CallOptions): Promise<readonly Mount[]>;
  /** Turns the active snapshot `key` into the committed snapshot `name`. If `name` is there already, `key` is removed and it succeeds. */
  commit(name: string, key: string, call?: CallOptions): Promise<void>;
  /** The mounts of an active snapshot or view: what the caller mounts to use it. */
  mounts(key: string): Promise<readonly Mount[]>;
  /** Where and how a layer archive is unpacked into the active snapshot `key`. */
  layerTarget(key: string): Promise<LayerTarget>;
  /** Removes an active snapshot, a view or a committed one without children. Idempotent. */
  remove(key: string, call?: CallOptions): Promise<void>;
  find(key: string): Promise<SnapshotInfo | undefined>;
  list(): Promise<readonly SnapshotInfo[]>;
  /** Own bytes and inodes, not those of parents. */
  usage(key: string, call?: CallOptions): Promise<SnapshotUsage>;
  /** Undoes what a dead process left half done. Called by the engine at open, under a lock. */
  recover(): Promise<void>;
}

/**
 * How a layer is unpacked: into a plain directory where a whiteout becomes an overlay whiteout (`overlay`: character
 * device 0:0, opaque xattr) or into the full tree where a whiteout deletes (`apply`).
 *
 * @public
 */
export interface LayerTarget {
  readonly path: string;
  readonly whiteouts: 'overlay' | 'apply';
  /** For `overlay`: the parents' directories, top first; hard links to files of lower layers are resolved there. */
  readonly lowerPaths: readonly string[];
}
