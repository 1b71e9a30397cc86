import type { Mount } from '../os/mount.js';
import type { CallOptions } from '../util/signals.js';

/** Disk use of one snapshot's own data. @public */
export interface SnapshotUsage {
  /** Bytes on disk, of files that the container made or changed. */
  readonly bytes: number;
  /** Number of files and directories. */
  readonly inodes: number;
}

/** One snapshot as the snapshotter knows it. @public */
export interface SnapshotInfo {
  /** The key of an active snapshot or the name of a committed one. */
  readonly key: string;
  readonly kind: 'active' | 'view' | 'committed';
  readonly parent: string | undefined;
}

/** How a snapshot is prepared. @public */
export interface PrepareOptions extends CallOptions {
  /**
   * The tree is thrown away after one use: nothing in it is synced, neither by programs in it nor when it is unmounted.
   * It can be mounted once only. Snapshotters that know no such thing ignore it.
   */
  readonly volatile?: boolean;
  /**
   * The snapshot belongs to the calling process and `recover()` removes it once that process is dead: for trees that
   * are unpacked into and then committed. It must not be mounted when its process may die. @defaultValue false
   */
  readonly transient?: boolean;
  /**
   * Absolute path of a host directory that takes the place of a parent: it is read, never written, and nobody may
   * change it while snapshots on it are in use. Only with no parent; such a snapshot can't be committed. Throws
   * BAD_OPTION when it is not a directory.
   */
  readonly lowerDirectory?: string;
}

/**
 * Keeps file-system trees that are built on each other.
 *
 * Vocabulary: an *active* snapshot is writable and has a key that the caller chose; *committing* it turns it into a
 * *committed* snapshot with a name, which is immutable and may be the parent of others; a *view* is a read-only
 * active one. Names of image layers are chain ids; keys of container roots are container ids. Keys and names are one
 * name space.
 *
 * Rules for every implementation (the exported contract suite checks them):
 * - `prepare`, `view`, `commit`, `remove` are atomic: after a crash at any instruction the snapshot is there whole or
 *   not at all once `recover()` ran.
 * - What is committed survives a power loss; active snapshots do as far as the kernel wrote them out.
 * - `remove` is idempotent. Removing a snapshot that has children fails with SNAPSHOT_IN_USE and `details.children`.
 * - The root directory of a new snapshot has owner, mode, times and xattrs of its parent's; without a parent it is
 *   0755 and root's.
 * - Nothing is mounted by a snapshotter: `mounts` returns what the caller mounts, so runtime and snapshotter share only
 *   data. The caller unmounts before it removes or commits.
 * - Calls for different keys may run at once, also in several processes; of two calls for one key one wins and the
 *   other gets the error that fits.
 * - Keys and names match `[a-zA-Z0-9][a-zA-Z0-9_.:-]{0,199}`, else BAD_SNAPSHOT_KEY.
 *
 * @public
 */
export interface Snapshotter {
  readonly name: string;
  /** Makes a writable snapshot on `parent` (empty without). Throws SNAPSHOT_EXISTS, SNAPSHOT_NOT_FOUND (parent). */
  prepare(key: string, parent: string | undefined, options?: PrepareOptions): Promise<readonly Mount[]>;
  /** Makes a read-only snapshot on `parent`. Throws as `prepare`. */
  view(key: string, parent: string, options?: PrepareOptions): Promise<readonly Mount[]>;
  /**
   * Turns the active snapshot `key` into the committed snapshot `name`, durably. If `name` is there already, `key` is
   * removed and it succeeds. Throws SNAPSHOT_NOT_FOUND, SNAPSHOT_READ_ONLY (key is a view), SNAPSHOT_EXISTS (`name` is
   * the key of an active one), SNAPSHOT_NOT_COMMITTABLE (built on a host directory).
   */
  commit(name: string, key: string, call?: CallOptions): Promise<void>;
  /** The mounts of an active snapshot or view: what the caller mounts to use it. Throws SNAPSHOT_NOT_FOUND. */
  mounts(key: string): Promise<readonly Mount[]>;
  /** Where and how a layer archive is unpacked into the active snapshot `key`. Throws SNAPSHOT_NOT_FOUND, SNAPSHOT_READ_ONLY. */
  layerTarget(key: string): Promise<LayerTarget>;
  /**
   * Removes an active snapshot, a view or a committed one without children. Idempotent. The snapshot is gone at once;
   * the promise settles when its space is free. An abort leaves the rest to `recover()`.
   */
  remove(key: string, call?: CallOptions): Promise<void>;
  /**
   * Paths that hold nothing but the active snapshot `key`, whether it is there yet or not. Once it is unmounted they
   * may be deleted from outside, half way too: that is how the sweep works that follows a host's death.
   */
  ownPaths(key: string): readonly string[];
  find(key: string): Promise<SnapshotInfo | undefined>;
  /** All snapshots, sorted by key. */
  list(): Promise<readonly SnapshotInfo[]>;
  /** Own bytes (blocks on disk) and inodes, hard links once, not those of parents. Throws SNAPSHOT_NOT_FOUND. */
  usage(key: string, call?: CallOptions): Promise<SnapshotUsage>;
  /** Undoes what dead processes left half done and frees its space. Leaves alone what living processes work on. Called by the engine at open, under a lock. */
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
  /**
   * For `overlay`: the parents' directories, top first; hard links to files of lower layers are resolved there. Empty:
   * a whiteout has nothing to hide and must not be made.
   */
  readonly lowerPaths: readonly string[];
}
