import { type Dirent, lstatSync, promises, renameSync, rmdirSync, unlinkSync } from 'node:fs';
import { newToken } from '../../util/ids.js';
import type { CallOptions } from '../../util/signals.js';
import { clearImmutable, errnoOf } from '../syscalls/index.js';
import { joinBytes, readEntries } from './byte-paths.js';
import { TimeSlices } from './time-slices.js';

// Freeing a file of this size takes long enough to be worth a thread.
const LARGE_BYTES = 64 * 2 ** 20;
// Deeper trees are cut in pieces: a container can nest directories beyond what one path may name.
const PATH_BYTES_MAX = 2048;
const REREADS_MAX = 3;

interface Frame {
  readonly path: Buffer;
  entries: Dirent<Buffer>[] | undefined;
  rereads: number;
}

/**
 * Removes a tree, whatever a container left in it: names that are not UTF-8, paths beyond PATH_MAX, immutable files.
 * A small tree is gone when the call returns its promise; a large one goes in slices. Nothing there is fine.
 * `scratch` is a directory on the same file system that takes pieces of deep trees; a second remover is tolerated.
 */
export async function removeTree(root: string, scratch: string, call: CallOptions = {}): Promise<void> {
  const slices = new TimeSlices(call);
  const stack: Frame[] = [{ path: Buffer.from(root), entries: undefined, rereads: 0 }];
  for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
    if (slices.due) await slices.pause();
    frame.entries ??= listOrNothing(frame.path);
    const entry = frame.entries.pop();
    if (entry === undefined) {
      if (removeEmptied(frame)) stack.pop();
      continue;
    }
    const path = joinBytes(frame.path, entry.name);
    if (entry.isDirectory()) {
      stack.push({ path: path.length > PATH_BYTES_MAX ? cutOff(path, scratch) : path, entries: undefined, rereads: 0 });
    } else if (entry.isFile() && isLarge(path)) {
      await promises.unlink(path).catch(() => persist(path, () => unlinkSync(path)));
    } else {
      persist(path, () => unlinkSync(path));
    }
  }
}

function listOrNothing(path: Buffer): Dirent<Buffer>[] {
  try {
    return readEntries(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

// False when something was put into it meanwhile: then it is read again.
function removeEmptied(frame: Frame): boolean {
  try {
    persist(frame.path, () => rmdirSync(frame.path));
    return true;
  } catch (error) {
    if (errnoOf(error) !== 'ENOTEMPTY' || frame.rereads >= REREADS_MAX) throw error;
    frame.rereads++;
    frame.entries = undefined;
    return false;
  }
}

function isLarge(path: Buffer): boolean {
  return (lstatSync(path, { throwIfNoEntry: false })?.size ?? 0) > LARGE_BYTES;
}

function cutOff(path: Buffer, scratch: string): Buffer {
  const piece = Buffer.from(`${scratch}/${newToken()}`);
  persist(path, () => renameSync(path, piece));
  return piece;
}

/** Does one step on `path`; a file that is gone is fine, and an immutable one (or one in an immutable directory) is freed first. */
function persist(path: Buffer, step: () => void): void {
  try {
    step();
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT') return;
    if (errno !== 'EPERM' && errno !== 'EACCES') throw error;
    const own = clearImmutable(path);
    const parents = clearImmutable(path.subarray(0, path.lastIndexOf(0x2f)));
    if (!own && !parents) throw error;
    step();
  }
}
