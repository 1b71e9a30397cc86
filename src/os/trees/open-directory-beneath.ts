import { closeSync, constants, openSync } from 'node:fs';
import { errnoOf, openat2Directory, type PathBytes, pathText, syscallError } from '../syscalls/index.js';
import { inDirectory } from './byte-paths.js';
import { mountIdOf } from './mount-id.js';
import { O_PATH } from './open-beneath.js';

const SLASH = 0x2f;

/** How a directory is opened. */
export interface OpenDirectoryOptions {
  /** The descriptor only names it (O_PATH). */
  readonly pathOnly?: boolean;
}

/**
 * Opens a directory below `directory` that is reached without any symbolic link, `..` or mount, whatever somebody puts
 * in the way: a link gives ELOOP or ENOTDIR, a mount EXDEV. One system call where the kernel has openat2 (5.6).
 */
export function openDirectoryBeneath(directory: number, path: PathBytes, options: OpenDirectoryOptions = {}): number {
  try {
    return openat2Directory(directory, path, options);
  } catch (error) {
    // An older kernel, or a filter around us that does not know the call.
    const errno = errnoOf(error);
    if (errno !== 'ENOSYS' && errno !== 'EPERM') throw error;
    return walkDirectories(directory, path, options);
  }
}

/** The same name by name. */
export function walkDirectories(directory: number, path: PathBytes, options: OpenDirectoryOptions = {}): number {
  const mount = mountIdOf(directory);
  const names = splitPath(Buffer.from(path));
  const flags = constants.O_DIRECTORY | constants.O_NOFOLLOW;
  let fd = openSync(inDirectory(directory, '.'), flags | O_PATH);
  try {
    for (const [at, name] of names.entries()) {
      if (name.equals(Buffer.from('..'))) throw refused('EXDEV', path);
      const above = fd;
      const last = at === names.length - 1;
      fd = openSync(inDirectory(above, name), flags | (last && !options.pathOnly ? 0 : O_PATH));
      closeSync(above);
      if (mountIdOf(fd) !== mount) throw refused('EXDEV', path);
    }
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function splitPath(path: Buffer): Buffer[] {
  const names: Buffer[] = [];
  for (let from = 0; from <= path.length; ) {
    const slash = path.indexOf(SLASH, from);
    const to = slash < 0 ? path.length : slash;
    names.push(path.subarray(from, to));
    from = to + 1;
  }
  return names.filter((name) => name.length > 0);
}

function refused(errno: string, path: PathBytes): Error {
  return syscallError('openat2', errno, { path: pathText(path) });
}
