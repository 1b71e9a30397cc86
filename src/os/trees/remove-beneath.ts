import { closeSync, type Dir, lstatSync, opendirSync, promises, renameSync, rmdirSync, unlinkSync } from 'node:fs';
import { newToken } from '../../util/ids.js';
import type { CallOptions } from '../../util/signals.js';
import { errnoOf, syscallError } from '../syscalls/index.js';
import { inDirectory } from './byte-paths.js';
import { openDirectoryBeneath } from './open-directory-beneath.js';
import { persist } from './persist.js';
import { LARGE_BYTES } from './remove-tree.js';
import { TimeSlices } from './time-slices.js';

/** Each level has two descriptors open: what lies deeper is moved up. */
const DEPTH_MAX = 32;
const REREADS_MAX = 3;
// Somebody who exchanges names all the time can spoil a pass, not a hundred.
const PASSES_MAX = 100;

interface Frame {
  /** The directory that it is in. */
  readonly above: number;
  readonly name: Buffer;
  readonly fd: number;
  dir: Dir;
  rereads: number;
}

/**
 * Removes what an open directory has under a name, with all below it, and nothing else; nothing there is fine. For trees
 * that others change meanwhile: every step is made relative to an open directory, links are removed and not followed, and
 * no mount is entered (EXDEV) or removed (EBUSY), whatever somebody exchanges. A second remover is tolerated, immutable
 * files are freed, and whenever it is cut off, all that is left is still below the name.
 */
export async function removeBeneath(directory: number, name: Buffer | string, call: CallOptions = {}): Promise<void> {
  const slices = new TimeSlices(call);
  const bytes = Buffer.from(name);
  for (let pass = 1; ; pass++) {
    const end = await removeOnce(directory, bytes, slices);
    if (end === 'gone') return;
    if (end === 'moved') pass = 0;
    else if (pass === PASSES_MAX) throw syscallError('rmdir', 'ENOTEMPTY', { name: bytes });
  }
}

/** `changed`: others keep it from being empty. `moved`: it has what lay too deep. */
async function removeOnce(directory: number, name: Buffer, slices: TimeSlices): Promise<'gone' | 'changed' | 'moved'> {
  const stack: Frame[] = [];
  let end: 'changed' | 'moved' = 'changed';
  if (removeFile(directory, name)) return 'gone';
  enter(stack, directory, name);
  try {
    for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
      if (slices.due) await slices.pause();
      const entry = frame.dir.readSync();
      if (entry === null) {
        const gone = removeEmptied(frame);
        if (gone && stack.length === 1) return 'gone';
        if (gone || !readAgain(frame)) leave(stack);
        continue;
      }
      const child = entry.name as unknown as Buffer;
      if (entry.isFile() && isLarge(frame.fd, child)) {
        await promises.unlink(inDirectory(frame.fd, child)).catch(() => removeFile(frame.fd, child));
      } else if (entry.isDirectory() || !removeFile(frame.fd, child)) {
        if (stack.length < DEPTH_MAX) {
          enter(stack, frame.fd, child);
        } else {
          moveUp((stack[0] as Frame).fd, frame.fd, child);
          end = 'moved';
        }
      }
    }
    return end;
  } finally {
    while (stack.length > 0) leave(stack);
  }
}

/** False for a directory. */
function removeFile(above: number, name: Buffer): boolean {
  const path = inDirectory(above, name);
  try {
    persist(
      () => unlinkSync(path),
      () => [path, inDirectory(above, '.')],
    );
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EISDIR') return false;
    throw error;
  }
}

function isLarge(above: number, name: Buffer): boolean {
  return (lstatSync(inDirectory(above, name), { throwIfNoEntry: false })?.size ?? 0) > LARGE_BYTES;
}

/** What is gone, or was exchanged for something else, is not entered: a later reading of its directory finds that. */
function enter(stack: Frame[], above: number, name: Buffer): void {
  let fd: number;
  try {
    fd = openDirectoryBeneath(above, name);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(errnoOf(error) ?? '')) return;
    throw error;
  }
  try {
    stack.push({ above, name, fd, dir: list(fd), rereads: 0 });
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

/** False when there is something in it (again), or another has its name. */
function removeEmptied({ above, name }: Frame): boolean {
  const path = inDirectory(above, name);
  try {
    persist(
      () => rmdirSync(path),
      () => [path, inDirectory(above, '.')],
    );
    return true;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno !== 'ENOTEMPTY' && errno !== 'ENOTDIR') throw error;
    return false;
  }
}

/** False when that was done often enough: then it waits for the next reading of the directory that it is in. */
function readAgain(frame: Frame): boolean {
  if (frame.rereads === REREADS_MAX) return false;
  frame.rereads++;
  frame.dir.closeSync();
  frame.dir = list(frame.fd);
  return true;
}

/** To the top of the tree, from where the way down begins anew. */
function moveUp(top: number, above: number, name: Buffer): void {
  const path = inDirectory(above, name);
  const piece = inDirectory(top, newToken());
  persist(
    () => renameSync(path, piece),
    () => [path, inDirectory(above, '.'), inDirectory(top, '.')],
  );
}
