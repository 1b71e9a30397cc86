import { linkSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { newToken } from '../../util/ids.js';
import type { ExitRecord } from '../supervisor.js';

/**
 * Exit records on disk, in the form that conmon writes: the file `<exitDir>/<id>` holds the exit code in decimal, its
 * modification time is the time of the exit, and `<id>.oom` beside it says that the kernel killed for lack of memory.
 */
export function readExitRecord(exitDir: string, id: string): ExitRecord | undefined {
  const path = `${exitDir}/${id}`;
  let text: string;
  let exitedAt: Date;
  try {
    text = readFileSync(path, 'latin1').trim();
    exitedAt = statSync(path).mtime;
  } catch {
    return undefined;
  }
  // conmon renames the file into place, but a power cut may leave it empty.
  const exitCode = /^-?\d{1,3}$/.test(text) ? Number(text) : -1;
  return { exitCode, exitedAt, oomKilled: hasOomMark(exitDir, id) };
}

/** Stores a record unless there is one already; the stored one wins and is returned. */
export function storeExitRecord(exitDir: string, id: string, record: ExitRecord): ExitRecord {
  const path = `${exitDir}/${id}`;
  const temp = `${exitDir}/.${id}.${newToken()}.tmp`;
  if (record.oomKilled) markOom(exitDir, id);
  try {
    writeFileSync(temp, String(record.exitCode), { mode: 0o600, flag: 'wx' });
    utimesSync(temp, record.exitedAt, record.exitedAt);
    linkSync(temp, path);
  } catch {
    // Another process was first, or the directory is gone with its container.
  } finally {
    rmSync(temp, { force: true });
  }
  return readExitRecord(exitDir, id) ?? record;
}

export function markOom(exitDir: string, id: string): void {
  try {
    writeFileSync(`${exitDir}/${id}.oom`, '', { mode: 0o600 });
  } catch {
    // The directory is gone with its run: nobody asks any more.
  }
}

/** Removes the record of an earlier run of the same container. Idempotent. */
export function removeExitRecord(exitDir: string, id: string): void {
  rmSync(`${exitDir}/${id}`, { force: true });
  rmSync(`${exitDir}/${id}.oom`, { force: true });
}

function hasOomMark(exitDir: string, id: string): boolean {
  return statSync(`${exitDir}/${id}.oom`, { throwIfNoEntry: false }) !== undefined;
}
