import { type BigIntStats, chmodSync, lchownSync, lstatSync } from 'node:fs';
import { errnoOf, lgetxattr, llistxattr, lsetxattr, type PathBytes, utimensat } from '../os/syscalls/index.js';

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

/** Gives an inode the attributes of another of the same type, to the nanosecond. */
export function writeAttributes(path: PathBytes, attributes: InodeAttributes): void {
  const { stat, xattrs } = attributes;
  const target = path as Buffer;
  // The order matters: a new owner takes the setuid bit and file capabilities away.
  lchownSync(target, Number(stat.uid), Number(stat.gid));
  if (!stat.isSymbolicLink()) chmodSync(target, Number(stat.mode) & 0o7777);
  for (const [name, value] of xattrs) {
    try {
      lsetxattr(path, name, value);
    } catch (error) {
      if (errnoOf(error) !== 'EOPNOTSUPP' && errnoOf(error) !== 'ENOTSUP') throw error;
    }
  }
  utimensat(path, stat.atimeNs, stat.mtimeNs);
}
