import { chmodSync, mkdirSync, realpathSync } from 'node:fs';
import { engineError, quote } from '../errors/index.js';
import { type Mount, readMountInfo } from '../os/index.js';
import { copyTree } from '../os/trees/copy-tree.js';
import { createLog, type Log } from '../util/log.js';
import type { CallOptions } from '../util/signals.js';
import type { SnapshotMeta } from './snapshot-meta.js';
import { notFound, type SnapshotPaths, SnapshotStore } from './snapshot-store.js';
import type { LayerTarget } from './snapshotter.js';
import { type MadeTree, StoredSnapshotter, type TreeScheme } from './stored-snapshotter.js';

/** @public */
export interface VfsSnapshotterOptions {
  /** Directory of the snapshotter; made when missing. */
  readonly dir: string;
  readonly log?: Log;
}

/**
 * Snapshots as whole copies, for any file system: extents are shared where it can (btrfs, xfs), else the bytes are
 * copied. Hard links, owners, modes, times, xattrs, devices and holes stay as they are.
 *
 * @public
 */
export class VfsSnapshotter extends StoredSnapshotter {
  /** Opens the directory; makes it when missing. */
  static open(options: VfsSnapshotterOptions): VfsSnapshotter {
    const store = new SnapshotStore(options.dir);
    return new VfsSnapshotter(store, new VfsScheme(store), options.log ?? createLog('snapshots'));
  }
}

class VfsScheme implements TreeScheme {
  readonly name = 'vfs';
  readonly #store: SnapshotStore;

  constructor(store: SnapshotStore) {
    this.#store = store;
  }

  makeTree(paths: SnapshotPaths, final: SnapshotPaths, meta: SnapshotMeta, call: CallOptions): MadeTree {
    if (meta.parent !== undefined && !this.#store.hasCommitted(meta.parent)) throw notFound(meta.parent, 'parent');
    const mounts = this.mounts(final, meta);
    if (meta.kind === 'view') return { mounts };
    mkdirSync(paths.fs, 0o755);
    const from = meta.parent === undefined ? meta.lowerDirectory : this.#store.committed(meta.parent).fs;
    if (from !== undefined) return { mounts, done: copyTree(from, paths.fs, call) };
    chmodSync(paths.fs, 0o755);
    return { mounts };
  }

  mounts(paths: SnapshotPaths, meta: SnapshotMeta): readonly Mount[] {
    if (meta.kind === 'active') return [{ type: 'bind', source: paths.fs, options: ['rbind', 'rw'] }];
    const source = this.#store.committed(meta.parent as string).fs;
    return [{ type: 'bind', source, options: ['rbind', 'ro'] }];
  }

  layerTarget(paths: SnapshotPaths): LayerTarget {
    return { path: paths.fs, whiteouts: 'apply', lowerPaths: [] };
  }

  /** A bind mount left inside the tree leads to files of the host: removing through it would delete them. */
  assertRemovable(key: string, paths: SnapshotPaths): void {
    let inside: string;
    try {
      inside = `${realpathSync(paths.directory)}/`;
    } catch {
      return;
    }
    const mountPoints = readMountInfo()
      .map((mount) => mount.mountPoint)
      .filter((path) => path.startsWith(inside));
    if (mountPoints.length > 0) {
      throw engineError('SNAPSHOT_MOUNTED', `snapshot ${quote(key)} has mounts in it`, {
        details: { key, mountPoints },
      });
    }
  }

  forget(): void {}

  sweep(): void {}
}
