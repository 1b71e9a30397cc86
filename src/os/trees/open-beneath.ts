import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { engineError, quote } from '../../errors/index.js';
import { inDirectory } from './byte-paths.js';

/** Node does not name it: a descriptor that only points at a file. */
export const O_PATH = 0o10000000;

/**
 * A descriptor (O_PATH) of what the names lead to from an open directory, one after the other. No link is followed, and
 * whoever exchanges directories meanwhile can't make it leave the tree: each step starts from a descriptor. All but the
 * last must be directories. No name may be `..`. Throws with errno ENOENT or ENOTDIR, SYMLINK_REFUSED for a link.
 */
export function openBeneath(directory: number, names: readonly (Buffer | string)[]): number {
  let fd = openSync(inDirectory(directory, '.'), O_PATH | constants.O_DIRECTORY);
  for (const name of names) {
    const above = fd;
    try {
      fd = openSync(inDirectory(above, name), O_PATH | constants.O_NOFOLLOW);
    } finally {
      closeSync(above);
    }
    // Opened without following, a link is opened itself.
    if (!fstatSync(fd).isSymbolicLink()) continue;
    closeSync(fd);
    throw engineError(
      'SYMLINK_REFUSED',
      `path ${quote(names.join('/'))}: ${quote(name.toString())} is a symbolic link`,
      {
        details: { path: names.join('/') },
      },
    );
  }
  return fd;
}
