import { closeSync, fstatSync, linkSync, lstatSync, openSync, readFileSync, renameSync, unlinkSync } from 'node:fs';
import { errnoOf } from '../os/syscalls/index.js';

const MAX_STATE_FILE_BYTES = 16 * 1024 * 1024;

/** A whole state file, or where a damaged one was moved. */
export type ReadResult<T> =
  | { readonly status: 'ok'; readonly value: T }
  | { readonly status: 'missing' }
  | { readonly status: 'corrupt'; readonly quarantine: string };

/**
 * Reads `path` and decodes it; when `decode` gives `undefined` the file is moved to `<path>.corrupt-<timestamp>`,
 * never replaced or deleted. A good file that another process put there meanwhile stays. Throws Node's error for
 * what says nothing about the content (EIO, EMFILE, EACCES).
 */
export function readOrQuarantine<T>(path: string, decode: (text: string) => T | undefined): ReadResult<T> {
  for (;;) {
    const fd = openForReading(path);
    if (fd === undefined) return { status: 'missing' };
    try {
      const stat = fstatSync(fd);
      const whole = stat.isFile() && stat.size <= MAX_STATE_FILE_BYTES;
      const value = whole ? decode(readFileSync(fd, 'utf8')) : undefined;
      if (value !== undefined) return { status: 'ok', value };
      // The descriptor is open until the end, so that no new file can have the number of this one.
      const quarantine = moveAside(path, stat.ino);
      if (quarantine !== undefined) return { status: 'corrupt', quarantine };
    } finally {
      closeSync(fd);
    }
  }
}

function openForReading(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** Where the file went; `undefined` when the name no longer means the file that was read. */
function moveAside(path: string, ino: number): string | undefined {
  if (lstatSync(path, { throwIfNoEntry: false })?.ino !== ino) return undefined;
  const target = `${path}.corrupt-${new Date().toISOString().replaceAll(':', '')}`;
  try {
    renameSync(path, target);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  if (lstatSync(target, { throwIfNoEntry: false })?.ino === ino) return target;
  // Between the two looks a writer replaced the file: give the good one its name back unless there is a newer one.
  try {
    linkSync(target, path);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
  unlinkSync(target);
  return undefined;
}
