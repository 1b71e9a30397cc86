import { closeSync, constants, type Dir, opendirSync, openSync } from 'node:fs';
import { joinBytes } from '../../os/index.js';
import { clearImmutable, errnoOf, openDirectoryBeneath, renameat, unlinkat } from '../../os/syscalls/index.js';
import { TimeSlices } from '../../os/trees/time-slices.js';
import { newToken } from '../../util/ids.js';
import type { CallOptions } from '../../util/signals.js';

/** Each level has two descriptors open: deeper trees are taken apart. */
const DEPTH_MAX = 32;
// Somebody who exchanges names all the time can spoil a reading, not a hundred.
const REREADS_MAX = 100;

interface Frame {
  readonly fd: number;
  readonly name: Buffer;
  dir: Dir;
  rereads: number;
}

/**
 * Removes what is called `name` in directory `parent`, with all that is in it, and nothing else: every step is made relative to an
 * open directory, links are removed and not followed, and no mount is entered (EXDEV) or removed (EBUSY), whatever
 * somebody exchanges meanwhile. A second remover is tolerated; nothing there is fine.
 */
export async function removeBeneath(parent: string, name: string, call: CallOptions = {}): Promise<void> {
  const slices = new TimeSlices(call);
  const parentFd = openParent(parent);
  if (parentFd === undefined) return;
  const todo = [Buffer.from(name)];
  try {
    for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
      await removeOne(parentFd, next, todo, slices);
    }
  } finally {
    closeSync(parentFd);
  }
}

function openParent(path: string): number | undefined {
  try {
    return openSync(path, constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function removeOne(parentFd: number, name: Buffer, todo: Buffer[], slices: TimeSlices): Promise<void> {
  const stack: Frame[] = [];
  const above = (): number => stack.at(-2)?.fd ?? parentFd;
  if (!enter(stack, parentFd, name)) return;
  try {
    for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
      if (slices.due) await slices.pause();
      const entry = frame.dir.readSync();
      if (entry !== null) {
        const child = entry.name as unknown as Buffer;
        if (!entry.isDirectory()) removeEntry(frame.fd, child);
        else if (stack.length < DEPTH_MAX) enter(stack, frame.fd, child);
        else cutOff(frame.fd, child, parentFd, todo);
      } else if (removeEmptied(above(), frame)) {
        leave(stack);
      }
    }
  } finally {
    while (stack.length > 0) leave(stack);
  }
}

/** False when it is gone or no directory (any more), and then removed. */
function enter(stack: Frame[], parentFd: number, name: Buffer): boolean {
  let fd: number;
  try {
    fd = openDirectoryBeneath(parentFd, name);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT') return false;
    if (errno !== 'ENOTDIR' && errno !== 'ELOOP') throw error;
    // Exchanged since it was listed: what has the name now goes in its place.
    removeEntry(parentFd, name);
    return false;
  }
  try {
    stack.push({ fd, name, dir: list(fd), rereads: 0 });
    return true;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function leave(stack: Frame[]): void {
  const frame = stack.pop() as Frame;
  frame.dir.closeSync();
  closeSync(frame.fd);
}

function list(fd: number): Dir {
  return opendirSync(`/proc/self/fd/${fd}`, { encoding: 'buffer' as BufferEncoding, bufferSize: 64 });
}

function removeEntry(dirfd: number, name: Buffer): void {
  try {
    persist(dirfd, name, () => unlinkat(dirfd, name));
  } catch (error) {
    // A directory was put in its place; the next reading of the parent finds it.
    if (errnoOf(error) !== 'EISDIR') throw error;
  }
}

// False when something was put into it meanwhile: then it is read again.
function removeEmptied(parentFd: number, frame: Frame): boolean {
  try {
    persist(parentFd, frame.name, () => unlinkat(parentFd, frame.name, { directory: true }));
    return true;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOTDIR') {
      removeEntry(parentFd, frame.name);
      return true;
    }
    if (errno !== 'ENOTEMPTY' || frame.rereads >= REREADS_MAX) throw error;
    frame.rereads++;
    frame.dir.closeSync();
    frame.dir = list(frame.fd);
    return false;
  }
}

function cutOff(dirfd: number, name: Buffer, parentFd: number, todo: Buffer[]): void {
  const piece = Buffer.from(newToken());
  persist(dirfd, name, () => {
    renameat(dirfd, name, parentFd, piece);
    todo.push(piece);
  });
}

/** Does one step on an entry; one that is gone is fine, and an immutable one is freed first. */
function persist(dirfd: number, name: Buffer, step: () => void): void {
  try {
    step();
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT') return;
    if (errno !== 'EPERM' && errno !== 'EACCES') throw error;
    const directory = Buffer.from(`/proc/self/fd/${dirfd}`);
    const own = clearImmutable(joinBytes(directory, name));
    const parents = clearImmutable(joinBytes(directory, Buffer.from('.')));
    if (!own && !parents) throw error;
    step();
  }
}
