import { closeSync, constants, lstatSync, opendirSync, openSync } from 'node:fs';
import { engineError, quote } from '../../errors/index.js';
import { joinBytes } from '../../os/index.js';
import { errnoOf } from '../../os/syscalls/index.js';
import { openDirectoryBeneath } from '../../os/trees/open-directory-beneath.js';
import { TimeSlices } from '../../os/trees/time-slices.js';
import { type CallOptions, throwIfAborted } from '../../util/signals.js';

const BLOCK_BYTES = 512;
const PATH_BYTES_MAX = 4000;
const SLASH = 0x2f;

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
  const tally = new Tally();
  const slices = new TimeSlices(options);
  const root = openRoot(path);
  let reportAt = performance.now() + PROGRESS_MS;
  try {
    tally.count(Buffer.from(`/proc/self/fd/${root}/.`));
    const pending: Buffer[] = [Buffer.from('.')];
    for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
      const fd = openDeep(root, directory);
      if (fd === undefined) continue;
      try {
        const at = Buffer.from(`/proc/self/fd/${fd}`);
        using listing = new Listing(at);
        for (let entry = listing.next(); entry !== undefined; entry = listing.next()) {
          if (slices.due) {
            if (options.onProgress !== undefined && performance.now() > reportAt) {
              options.onProgress(tally.size);
              reportAt = performance.now() + PROGRESS_MS;
            }
            await slices.pause();
          }
          // A directory counts when it was entered: one that another mount covers does not belong to this tree.
          if (entry.directory) pending.push(joinBytes(directory, entry.name));
          else tally.count(joinBytes(at, entry.name));
        }
        if (directory.length > 1) tally.count(joinBytes(at, Buffer.from('.')));
      } finally {
        closeSync(fd);
      }
    }
  } finally {
    closeSync(root);
  }
  options.onProgress?.(tally.size);
  return tally.size;
}

class Tally {
  readonly #linked = new Set<string>();
  #bytes = 0;
  #apparentBytes = 0;
  #inodes = 0;

  get size(): DirectorySize {
    return { bytes: this.#bytes, apparentBytes: this.#apparentBytes, inodes: this.#inodes };
  }

  count(path: Buffer): void {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return;
    if (stat.nlink > 1 && !stat.isDirectory()) {
      // Inode numbers beyond 2^53 exist, and two of them must not look like one.
      const exact = lstatSync(path, { throwIfNoEntry: false, bigint: true });
      const inode = `${exact?.dev}:${exact?.ino}`;
      if (this.#linked.has(inode)) return;
      this.#linked.add(inode);
    }
    this.#inodes++;
    this.#bytes += stat.blocks * BLOCK_BYTES;
    this.#apparentBytes += stat.size;
  }
}

class Listing implements Disposable {
  readonly #dir;

  constructor(path: Buffer) {
    this.#dir = opendirSync(path.toString(), { encoding: 'buffer' as BufferEncoding, bufferSize: 64 });
  }

  next(): { readonly name: Buffer; readonly directory: boolean } | undefined {
    const entry = this.#dir.readSync();
    return entry === null ? undefined : { name: entry.name as unknown as Buffer, directory: entry.isDirectory() };
  }

  [Symbol.dispose](): void {
    this.#dir.closeSync();
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

/** `undefined` when it is gone, replaced, or another mount. One call takes a path of a page only. */
function openDeep(root: number, path: Buffer): number | undefined {
  let fd = root;
  try {
    for (let rest = path; ; ) {
      const cut = rest.length <= PATH_BYTES_MAX ? rest.length : rest.lastIndexOf(SLASH, PATH_BYTES_MAX);
      const next = openDirectoryBeneath(fd, rest.subarray(0, cut), { pathOnly: cut < rest.length });
      if (fd !== root) closeSync(fd);
      fd = next;
      if (cut === rest.length) return fd;
      rest = rest.subarray(cut + 1);
    }
  } catch (error) {
    if (fd !== root) closeSync(fd);
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR' || errno === 'ELOOP' || errno === 'EXDEV') return undefined;
    throw error;
  }
}
