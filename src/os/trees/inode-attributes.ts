import { type BigIntStats, chmodSync, closeSync, constants, lchownSync, lstatSync, openSync } from 'node:fs';
import { errnoOf, lgetxattr, llistxattr, lsetxattr, type PathBytes, utimensat } from '../syscalls/index.js';
import { O_PATH } from './open-beneath.js';

/** What file systems answer that have no such attribute, or let nobody set it. */
const REFUSALS = new Set(['EPERM', 'EACCES', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL', 'EROFS']);

/** How attributes are written. */
export interface WriteAttributesOptions {
  /**
   * Owners, modes, times and xattrs that the target's file system does not take are left out (FAT, NFS, most of FUSE):
   * such a file stays root's and private, so less can be done with it, never more. @defaultValue false
   */
  readonly tolerant?: boolean;
}

// The overlay's own marks say what a directory is in one mount; a copy of them would lie.
const OVERLAY_XATTR = 'trusted.overlay.';

/** Owner, mode, times and xattrs of an inode. */
export interface InodeAttributes {
  readonly stat: BigIntStats;
  readonly xattrs: ReadonlyMap<string, Uint8Array>;
}

/** Reads the attributes of a path; a final symbolic link is not followed. */
export function readAttributes(path: PathBytes, stat?: BigIntStats): InodeAttributes {
  const xattrs = new Map<string, Uint8Array>();
  for (const name of llistxattr(path)) {
    const value = name.startsWith(OVERLAY_XATTR) ? undefined : lgetxattr(path, name);
    if (value !== undefined) xattrs.set(name, value);
  }
  return { stat: stat ?? lstatSync(path as Buffer, { bigint: true }), xattrs };
}

/** Gives an inode the attributes of another of the same type, to the nanosecond. A final link is not followed. */
export function writeAttributes(
  path: PathBytes,
  attributes: InodeAttributes,
  options: WriteAttributesOptions = {},
): void {
  const { stat, xattrs } = attributes;
  const target = path as Buffer;
  const attempt = (step: () => void): void => {
    try {
      step();
    } catch (error) {
      if (!options.tolerant || !REFUSALS.has(errnoOf(error) ?? '')) throw error;
    }
  };
  // The order matters: a new owner takes the setuid bit and file capabilities away.
  attempt(() => lchownSync(target, Number(stat.uid), Number(stat.gid)));
  if (!stat.isSymbolicLink()) attempt(() => setMode(target, Number(stat.mode) & 0o7777));
  for (const [name, value] of xattrs) {
    try {
      lsetxattr(path, name, value);
    } catch (error) {
      if (errnoOf(error) !== 'EOPNOTSUPP' && errnoOf(error) !== 'ENOTSUP') attempt(() => rethrow(error));
    }
  }
  attempt(() => utimensat(path, stat.atimeNs, stat.mtimeNs));
}

/** chmod(2) follows links, also one that has just taken the path's place; a descriptor can't be exchanged. */
function setMode(path: Buffer, mode: number): void {
  const fd = openSync(path, O_PATH | constants.O_NOFOLLOW);
  try {
    chmodSync(`/proc/self/fd/${fd}`, mode);
  } finally {
    closeSync(fd);
  }
}

function rethrow(error: unknown): never {
  throw error;
}
