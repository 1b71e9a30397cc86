import { closeSync, constants, openSync } from 'node:fs';
import { engineError, quote } from '../../errors/index.js';
import { errnoOf, statx } from '../../os/syscalls/index.js';
import { TimeSlices } from '../../os/trees/time-slices.js';
import { walkBeneath } from '../../os/trees/walk-beneath.js';
import { type CallOptions, throwIfAborted } from '../../util/signals.js';

const BLOCK_BYTES = 512;

/** What a tree takes. */
export interface DirectorySize {
  /** Blocks on disk. */
  readonly bytes: number;
  /** Lengths of the files, holes included. */
  readonly apparentBytes: number;
  readonly inodes: number;
}

export interface MeasureOptions extends CallOptions {
  /** Called a few times a second at most while it goes on, with what is counted so far. */
  readonly onProgress?: (size: DirectorySize) => void;
}

const PROGRESS_MS = 250;

/**
 * Measures a directory with all that is in it, hard links once, other mounts left out. What goes away meanwhile is not
 * counted, links are not followed whatever somebody exchanges meanwhile, and the event loop stays free. Throws
 * SOURCE_NOT_FOUND, CANCELED.
 */
export async function measureDirectory(path: string, options: MeasureOptions = {}): Promise<DirectorySize> {
  throwIfAborted(options.signal);
  const slices = new TimeSlices(options);
  const root = openRoot(path);
  let reportAt = performance.now() + PROGRESS_MS;
  try {
    const tally = new Tally(root);
    const visitor = {
      // Counted when it was entered: one that another mount covers does not belong to this tree.
      directory: (fd: number) => tally.count(fd, ''),
      entry: (fd: number, name: Buffer) => tally.count(fd, name),
      pause: () => {
        if (options.onProgress === undefined || performance.now() < reportAt) return;
        options.onProgress(tally.size);
        reportAt = performance.now() + PROGRESS_MS;
      },
    };
    await walkBeneath(root, visitor, slices);
    options.onProgress?.(tally.size);
    return tally.size;
  } finally {
    closeSync(root);
  }
}

class Tally {
  readonly #mountId: number | undefined;
  readonly #linked = new Set<string>();
  #bytes = 0;
  #apparentBytes = 0;
  #inodes = 0;

  constructor(root: number) {
    this.#mountId = statx(root, '')?.mountId;
  }

  get size(): DirectorySize {
    return { bytes: this.#bytes, apparentBytes: this.#apparentBytes, inodes: this.#inodes };
  }

  /** Counts what an open directory has under a name; itself where that is empty. */
  count(directory: number, name: Buffer | ''): void {
    const stat = statx(directory, name);
    // What the host has mounted on a file is not of this tree, also when it is of the same file system.
    if (stat === undefined || stat.mountId !== this.#mountId) return;
    if (stat.links > 1 && !stat.isDirectory) {
      if (this.#linked.has(stat.inode)) return;
      this.#linked.add(stat.inode);
    }
    this.#inodes++;
    this.#bytes += stat.blocks * BLOCK_BYTES;
    this.#apparentBytes += stat.bytes;
  }
}

function openRoot(path: string): number {
  try {
    return openSync(path, constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno !== 'ENOENT' && errno !== 'ENOTDIR' && errno !== 'ELOOP') throw error;
    throw engineError('SOURCE_NOT_FOUND', `${quote(path)} is no directory`, { details: { path, errno }, cause: error });
  }
}
