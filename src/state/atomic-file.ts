import {
  closeSync,
  fchmodSync,
  fsyncSync,
  linkSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { identifyProcess } from '../os/process-identity.js';
import { errnoOf } from '../os/syscalls/index.js';
import { newToken } from '../util/ids.js';
import { ioError } from './io-error.js';

export interface WriteFileOptions {
  /** True: survives a power cut once the call returned (fsync of file and directory). */
  readonly durable: boolean;
  /** Permission bits, whatever the umask. Default 0600. */
  readonly mode?: number;
}

const TEMP_NAME = /^\..+\.(\d+)\.[0-9a-f]{16}\.tmp$/;

/** Name of a temporary file or directory beside `name`; the pid lets a sweep tell live writers from dead ones. */
export function tempName(name: string): string {
  return `.${name}.${process.pid}.${newToken()}.tmp`;
}

/** Makes the entries of a directory (new names, renames, removals) survive a power cut. */
export function syncDirectory(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Puts `data` at `path` so that a reader sees the old or the new content and nothing between, whenever the writer dies.
 * On failure the old content stays and the temporary file is removed. Throws DISK_FULL or SYSCALL_FAILED.
 */
export function writeFileAtomic(path: string, data: string | Uint8Array, options: WriteFileOptions): void {
  const temp = writeTemp(path, data, options);
  try {
    renameSync(temp, path);
  } catch (error) {
    removeQuietly(temp);
    throw ioError('replace', path, error);
  }
  if (options.durable) syncParent(path);
}

/**
 * Like `writeFileAtomic`, but only when nothing has that name: false (and no change) when something has.
 * The content is whole at the moment the name appears.
 */
export function createFileExclusive(path: string, data: string | Uint8Array, options: WriteFileOptions): boolean {
  const temp = writeTemp(path, data, options);
  try {
    linkSync(temp, path);
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw ioError('create', path, error);
  } finally {
    removeQuietly(temp);
  }
  if (options.durable) syncParent(path);
  return true;
}

/**
 * Removes what writers killed half-way left in `dir`. An entry goes only when its writer is gone and it is older than
 * `minAgeMs`: the writer may live in another pid namespace. Returns how many went.
 */
export function removeStrayTempFiles(dir: string, minAgeMs = 60_000): number {
  let removed = 0;
  for (const name of readdirSync(dir)) {
    const match = TEMP_NAME.exec(name);
    if (match === null || identifyProcess(Number(match[1])) !== undefined) continue;
    const path = join(dir, name);
    const age = Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Number.POSITIVE_INFINITY);
    if (age < minAgeMs) continue;
    rmSync(path, { recursive: true, force: true });
    removed++;
  }
  return removed;
}

function writeTemp(path: string, data: string | Uint8Array, { durable, mode = 0o600 }: WriteFileOptions): string {
  const temp = join(dirname(path), tempName(basename(path)));
  let fd: number;
  try {
    fd = openSync(temp, 'wx', mode);
  } catch (error) {
    throw ioError('write', path, error);
  }
  try {
    try {
      fchmodSync(fd, mode);
      writeFileSync(fd, data);
      if (durable) fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    removeQuietly(temp);
    throw ioError('write', path, error);
  }
  return temp;
}

function syncParent(path: string): void {
  try {
    syncDirectory(dirname(path));
  } catch (error) {
    throw ioError('make durable', path, error);
  }
}

function removeQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // A sweep will find it.
  }
}
