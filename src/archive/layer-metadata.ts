import { chmodSync, fchmodSync, fchownSync, futimesSync, lchownSync, lstatSync } from 'node:fs';
import { engineError } from '../errors/index.js';
import { errnoOf, lgetxattr, llistxattr, lremovexattr, lsetxattr, utimensat } from '../os/syscalls/index.js';
import { badLayer } from './archive-error.js';
import { byteStringToText, fsPath, syscallPath } from './byte-string.js';
import type { TarEntry } from './tar-entry.js';

/** Whose files the unpacked ones are: as the archive says, or all the calling process's (for callers that are not root). */
export type Ownership = 'image' | 'caller';

/** Attributes by which overlayfs is steered: an image that brings them could hide or redirect files of the host. */
export const OVERLAY_XATTR = /^(?:trusted|user)\.overlay\./;

/** Labels that belong to the host's policy, not to the image. */
const HOST_XATTRS = new Set(['security.selinux', 'system.nfs4_acl']);

const SECOND = 1_000_000_000n;

/** Permission bits that an entry gets: without its owner, setuid and setgid would lend the caller's rights. */
function modeOf(entry: TarEntry, ownership: Ownership): number {
  return ownership === 'image' ? entry.mode : entry.mode & 0o1777;
}

/** Owner, mode, attributes and time of the open file `fd` at `path`, in the order in which none undoes another. */
export function setFileMetadata(fd: number, path: string, entry: TarEntry, ownership: Ownership): void {
  if (ownership === 'image') fchownSync(fd, entry.uid, entry.gid);
  fchmodSync(fd, modeOf(entry, ownership));
  if (entry.xattrs.size > 0) setXattrs(path, entry, ownership);
  const seconds = Number(entry.mtimeNs / SECOND);
  if (entry.mtimeNs % SECOND === 0n && seconds >= 0 && seconds < 2 ** 33) futimesSync(fd, seconds, seconds);
  else setTime(path, entry.mtimeNs);
}

/** The same for anything else that was just made at `path`. Directories get their time last of all, by `setTime`. */
export function setNodeMetadata(path: string, entry: TarEntry, ownership: Ownership): void {
  if (ownership === 'image') lchownSync(fsPath(path), entry.uid, entry.gid);
  if (entry.type !== 'symlink') chmodSync(fsPath(path), modeOf(entry, ownership));
  if (entry.xattrs.size > 0) setXattrs(path, entry, ownership);
  if (entry.type !== 'directory') setTime(path, entry.mtimeNs);
}

/** Sets the modification (and access) time of `path` itself, never of what it links to. */
export function setTime(path: string, mtimeNs: bigint): void {
  utimensat(syscallPath(path), mtimeNs, mtimeNs);
}

function setXattrs(path: string, entry: TarEntry, ownership: Ownership): void {
  for (const [rawName, value] of entry.xattrs) {
    const name = byteStringToText(rawName);
    if (HOST_XATTRS.has(name)) continue;
    // The kernel has these for files and directories only.
    if (name.startsWith('user.') && entry.type !== 'file' && entry.type !== 'directory') continue;
    try {
      lsetxattr(syscallPath(path), name, value);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === 'EPERM' && ownership === 'caller') continue;
      if (errno !== 'ENOTSUP' && errno !== 'EOPNOTSUPP') throw error;
      if (name !== 'security.capability') continue;
      throw engineError('UNSUPPORTED_HOST', 'the file system of the layer keeps no file capabilities', {
        cause: error,
      });
    }
  }
}

/** Throws BAD_LAYER for attributes that no image may set. */
export function checkXattrs(entry: TarEntry): void {
  for (const name of entry.xattrs.keys()) {
    if (OVERLAY_XATTR.test(name)) throw badLayer(entry.path, `sets the extended attribute ${name}`);
  }
}

/** Removes the attributes of an existing directory that its new entry does not have. */
export function dropOtherXattrs(path: string, entry: TarEntry): void {
  for (const name of llistxattr(syscallPath(path))) {
    if (OVERLAY_XATTR.test(name) || HOST_XATTRS.has(name) || entry.xattrs.has(name)) continue;
    lremovexattr(syscallPath(path), name);
  }
}

/** Gives `to` owner, mode, attributes and time of `from`. */
export function copyMetadata(from: string, to: string, ownership: Ownership): void {
  const stat = lstatSync(fsPath(from), { bigint: true });
  if (ownership === 'image') lchownSync(fsPath(to), Number(stat.uid), Number(stat.gid));
  if (!stat.isSymbolicLink()) chmodSync(fsPath(to), Number(stat.mode & 0o7777n));
  for (const name of llistxattr(syscallPath(from))) {
    if (OVERLAY_XATTR.test(name) || HOST_XATTRS.has(name)) continue;
    const value = lgetxattr(syscallPath(from), name);
    if (value !== undefined) lsetxattr(syscallPath(to), name, value);
  }
  setTime(to, stat.mtimeNs);
}
