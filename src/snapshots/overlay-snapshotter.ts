import { chmodSync, mkdirSync } from 'node:fs';
import { escapeOverlayPath, type Mount } from '../os/index.js';
import { readAttributes, writeAttributes } from '../os/trees/inode-attributes.js';
import { createLog, type Log } from '../util/log.js';
import { type LayerChain, LayerChains } from './layer-chains.js';
import type { SnapshotMeta } from './snapshot-meta.js';
import { type SnapshotPaths, SnapshotStore } from './snapshot-store.js';
import type { LayerTarget } from './snapshotter.js';
import { type MadeTree, StoredSnapshotter, type TreeScheme } from './stored-snapshotter.js';

/** @public */
export interface OverlaySnapshotterOptions {
  /** Directory of the snapshotter; made when missing. */
  readonly dir: string;
  readonly log?: Log;
  /** The kernel knows the overlay option `volatile` (Linux 5.10). @defaultValue true */
  readonly volatileSupported?: boolean;
}

/**
 * Snapshots as overlay layers: a committed one holds what differs from its parent, an active one is an empty upper
 * directory. Preparing costs a few small system calls, whatever the size of the image.
 *
 * @public
 */
export class OverlaySnapshotter extends StoredSnapshotter {
  /** Opens the directory; makes it when missing. Does not probe the kernel: `chooseSnapshotter` does. */
  static open(options: OverlaySnapshotterOptions): OverlaySnapshotter {
    const store = new SnapshotStore(options.dir);
    const scheme = new OverlayScheme(store, options.volatileSupported ?? true);
    return new OverlaySnapshotter(store, scheme, options.log ?? createLog('snapshots'));
  }
}

/*
 * What the kernel was built or booted with must not decide how upper directories look: a layer is made of one by
 * reading it, which works only while files are whole there (metacopy) and directories are where they seem (redirect_dir).
 * index would tie an upper directory to one set of lower ones and refuse it while a leaked mount holds it.
 */
const FIXED_OPTIONS = ['index=off', 'metacopy=off', 'redirect_dir=off'];

type Lowers = Pick<LayerChain, 'lowerDir' | 'lowerPaths' | 'root'>;

function hostChain(directory: string): Lowers {
  return { lowerDir: escapeOverlayPath(directory), lowerPaths: [directory], root: readAttributes(directory) };
}

class OverlayScheme implements TreeScheme {
  readonly name = 'overlay';
  readonly #chains: LayerChains;
  readonly #volatileSupported: boolean;

  constructor(store: SnapshotStore, volatileSupported: boolean) {
    this.#chains = new LayerChains(store);
    this.#volatileSupported = volatileSupported;
  }

  makeTree(paths: SnapshotPaths, final: SnapshotPaths, meta: SnapshotMeta): MadeTree {
    const chain = this.#chainOf(meta);
    mkdirSync(paths.fs, 0o755);
    if (chain === undefined) {
      chmodSync(paths.fs, 0o755);
    } else if (meta.kind === 'active') {
      mkdirSync(paths.work, 0o700);
      // The root directory that a container sees is this one, not the image's.
      writeAttributes(paths.fs, chain.root);
    }
    return { mounts: this.#mountsOn(chain, final, meta) };
  }

  mounts(paths: SnapshotPaths, meta: SnapshotMeta): readonly Mount[] {
    return this.#mountsOn(this.#chainOf(meta), paths, meta);
  }

  #mountsOn(chain: Lowers | undefined, paths: SnapshotPaths, meta: SnapshotMeta): Mount[] {
    if (chain === undefined) return [{ type: 'bind', source: paths.fs, options: ['rbind', 'rw'] }];
    const options: string[] = [];
    if (meta.kind === 'view') {
      // A single lower directory is no overlay to the kernel, but whiteouts in it must hide all the same: an empty one goes below.
      options.push('ro', `lowerdir=${chain.lowerDir}:${escapeOverlayPath(paths.fs)}`, ...FIXED_OPTIONS);
    } else {
      options.push(
        `lowerdir=${chain.lowerDir}`,
        `upperdir=${escapeOverlayPath(paths.fs)}`,
        `workdir=${escapeOverlayPath(paths.work)}`,
        ...FIXED_OPTIONS,
      );
      // Else each unmount writes out the whole file system below: 1 to 9 ms for a container that wrote one file.
      if (meta.volatile && this.#volatileSupported) options.push('volatile');
    }
    return [{ type: 'overlay', source: 'overlay', options }];
  }

  layerTarget(paths: SnapshotPaths, meta: SnapshotMeta): LayerTarget {
    return { path: paths.fs, whiteouts: 'overlay', lowerPaths: this.#chainOf(meta)?.lowerPaths ?? [] };
  }

  // The tree of an overlay snapshot is not what is mounted: nothing is below a mount point here.
  assertRemovable(): void {}

  forget(name: string): void {
    this.#chains.forget(name);
  }

  sweep(): void {
    this.#chains.sweepLinks();
  }

  #chainOf(meta: SnapshotMeta): Lowers | undefined {
    if (meta.parent !== undefined) return this.#chains.get(meta.parent);
    return meta.lowerDirectory === undefined ? undefined : hostChain(meta.lowerDirectory);
  }
}
