import { type Dirent, lstatSync, promises, renameSync, rmdirSync, unlinkSync } from 'node:fs';
import { newToken } from '../../util/ids.js';
import type { CallOptions } from '../../util/signals.js';
import { errnoOf } from '../syscalls/index.js';
import { joinBytes, readEntries } from './byte-paths.js';
import { persist } from './persist.js';
import { TimeSlices } from './time-slices.js';

// Freeing a file of this size takes long enough to be worth a thread.
export const LARGE_BYTES = 64 * 2 ** 20;
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
      await promises.unlink(path).catch(() => removeStep(path, () => unlinkSync(path)));
    } else {
      removeStep(path, () => unlinkSync(path));
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
    removeStep(frame.path, () => rmdirSync(frame.path));
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
  removeStep(path, () => renameSync(path, piece));
  return piece;
}

function removeStep(path: Buffer, step: () => void): void {
  persist(step, () => [path, path.subarray(0, path.lastIndexOf(0x2f))]);
}
