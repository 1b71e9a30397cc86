import { closeSync, constants, type Dirent, openSync, rmdirSync, unlinkSync } from 'node:fs';
import type { CallOptions } from '../../util/signals.js';
import { errnoOf } from '../syscalls/index.js';
import { inDirectory, readEntries } from './byte-paths.js';
import { TimeSlices } from './time-slices.js';

interface Frame {
  readonly above: number;
  readonly name: Buffer;
  readonly fd: number;
  readonly entries: Dirent<Buffer>[];
}

/**
 * Removes what an open directory has under a name, with all below it; nothing there is fine. For trees that others
 * change meanwhile: a directory that is exchanged for a link leads nowhere, the link itself goes.
 */
export async function removeBeneath(directory: number, name: Buffer | string, call: CallOptions = {}): Promise<void> {
  const slices = new TimeSlices(call);
  const frames: Frame[] = [];
  const take = (above: number, entry: Buffer): void => {
    if (removeFile(inDirectory(above, entry))) return;
    const fd = openDirectory(inDirectory(above, entry));
    if (fd !== undefined) frames.push({ above, name: entry, fd, entries: readEntries(inDirectory(fd, '.')) });
  };
  try {
    take(directory, Buffer.from(name));
    for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
      if (slices.due) await slices.pause();
      const entry = frame.entries.pop();
      if (entry !== undefined) {
        take(frame.fd, entry.name);
        continue;
      }
      frames.pop();
      closeSync(frame.fd);
      rmdirSync(inDirectory(frame.above, frame.name));
    }
  } finally {
    for (const { fd } of frames) closeSync(fd);
  }
}

/** False for a directory. */
function removeFile(path: Buffer): boolean {
  try {
    unlinkSync(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return true;
    if (errnoOf(error) === 'EISDIR') return false;
    throw error;
  }
}

function openDirectory(path: Buffer): number | undefined {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
