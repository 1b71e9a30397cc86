import { closeSync, opendirSync } from 'node:fs';
import { errnoOf } from '../syscalls/index.js';
import { joinBytes } from './byte-paths.js';
import { openDirectoryBeneath } from './open-directory-beneath.js';
import type { TimeSlices } from './time-slices.js';

const PATH_BYTES_MAX = 4000;
const SLASH = 0x2f;
const HERE = Buffer.from('.');

/** What is done with a tree. */
export interface TreeVisitor {
  /** A directory, open, before what is in it; the first is the root. */
  directory(fd: number): void;
  /** Any other entry of an open directory. */
  entry(directory: number, name: Buffer): void;
  /** Now and then, before the event loop turns. */
  pause?(): void;
}

/**
 * Walks what is below an open directory. What goes away or is exchanged meanwhile is left out, links are not followed
 * and mounts not entered whatever somebody does, and paths of any depth take three descriptors.
 */
export async function walkBeneath(root: number, visitor: TreeVisitor, slices: TimeSlices): Promise<void> {
  const pending: Buffer[] = [HERE];
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    const fd = openDeep(root, directory);
    if (fd === undefined) continue;
    try {
      visitor.directory(fd);
      using listing = new Listing(fd);
      for (let entry = listing.next(); entry !== undefined; entry = listing.next()) {
        if (slices.due) {
          visitor.pause?.();
          await slices.pause();
        }
        if (entry.isDirectory) pending.push(joinBytes(directory, entry.name));
        else visitor.entry(fd, entry.name);
      }
    } finally {
      closeSync(fd);
    }
  }
}

class Listing implements Disposable {
  readonly #dir;

  constructor(fd: number) {
    this.#dir = opendirSync(`/proc/self/fd/${fd}`, { encoding: 'buffer' as BufferEncoding, bufferSize: 64 });
  }

  next(): { readonly name: Buffer; readonly isDirectory: boolean } | undefined {
    const entry = this.#dir.readSync();
    return entry === null ? undefined : { name: entry.name as unknown as Buffer, isDirectory: entry.isDirectory() };
  }

  [Symbol.dispose](): void {
    this.#dir.closeSync();
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
