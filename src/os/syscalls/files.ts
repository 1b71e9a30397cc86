import { closeSync, constants, openSync } from 'node:fs';
import { errnoName, libc, libcAsync, type PathBytes, pathArgument, pathText, syscallError } from './lib.js';

const cMknod = libc<(path: PathBytes, mode: number, dev: bigint) => number>(
  'int mknod(const char *path, unsigned int mode, uint64_t dev)',
);
const cUtimensat = libc<(dirfd: number, path: PathBytes, times: BigInt64Array, flags: number) => number>(
  'int utimensat(int dirfd, const char *path, const int64_t *times, int flags)',
);
const cSyncfs = libc<(fd: number) => number>('int syncfs(int fd)');
const cSyncfsAsync = libcAsync<[fd: number]>('int syncfs(int fd)');
const cIoctl = libc<(fd: number, request: number, argument: Int32Array) => number>(
  'int ioctl(int fd, unsigned long request, void *argument)',
);
const cRenameat2 = libc<(olddir: number, from: PathBytes, newdir: number, to: PathBytes, flags: number) => number>(
  'int renameat2(int olddir, const char *from, int newdir, const char *to, unsigned int flags)',
);

const RENAME_NOREPLACE = 1;
const S_IFIFO = 0o010000;
const FS_IOC_GETFLAGS = 0x80086601;
const FS_IOC_SETFLAGS = 0x40086602;
const FS_APPEND_FL = 0x20;
const FS_IMMUTABLE_FL = 0x10;
const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;

/** glibc's encoding of a device number. */
export function makeDev(major: number, minor: number): bigint {
  const a = BigInt(major);
  const i = BigInt(minor);
  return ((a & 0xfffn) << 8n) | (i & 0xffn) | ((i & 0xffffff00n) << 12n) | ((a & 0xfffff000n) << 32n);
}

export function majorOf(dev: bigint | number): number {
  const d = BigInt(dev);
  return Number(((d >> 8n) & 0xfffn) | ((d >> 32n) & 0xfffff000n));
}

export function minorOf(dev: bigint | number): number {
  const d = BigInt(dev);
  return Number((d & 0xffn) | ((d >> 12n) & 0xffffff00n));
}

/** mknod(2): `mode` has the type bits (S_IFCHR 0o020000, S_IFBLK 0o060000) and the permissions, which the umask cuts. */
export function mknod(path: PathBytes, mode: number, major: number, minor: number): void {
  if (cMknod(pathArgument(path), mode, makeDev(major, minor)) !== 0)
    throw syscallError('mknod', errnoName(), { path: pathText(path) });
}

export function mkfifo(path: PathBytes, mode: number): void {
  if (cMknod(pathArgument(path), S_IFIFO | (mode & 0o7777), 0n) !== 0)
    throw syscallError('mknod', errnoName(), { path: pathText(path) });
}

/** Sets access and modification time in nanoseconds since the epoch; a final symbolic link itself is changed. */
export function utimensat(path: PathBytes, atimeNs: bigint, mtimeNs: bigint): void {
  const times = new BigInt64Array(4);
  putTime(times, 0, atimeNs);
  putTime(times, 2, mtimeNs);
  if (cUtimensat(AT_FDCWD, pathArgument(path), times, AT_SYMLINK_NOFOLLOW) !== 0)
    throw syscallError('utimensat', errnoName(), { path: pathText(path) });
}

function putTime(times: BigInt64Array, at: number, ns: bigint): void {
  let seconds = ns / 1_000_000_000n;
  let rest = ns % 1_000_000_000n;
  if (rest < 0n) {
    rest += 1_000_000_000n;
    seconds -= 1n;
  }
  times[at] = seconds;
  times[at + 1] = rest;
}

/** Writes out the file system that the descriptor is on. */
export function syncfs(fd: number): void {
  if (cSyncfs(fd) !== 0) throw syscallError('syncfs', errnoName());
}

/** syncfs(2) on another thread: it can take seconds. */
export async function syncfsAsync(fd: number): Promise<void> {
  if ((await cSyncfsAsync(fd)) !== 0) throw syscallError('syncfs', 'EIO');
}

/**
 * Takes the immutable and append-only attributes from a regular file or directory (chattr -i -a); a container with
 * CAP_LINUX_IMMUTABLE can set them and then nothing removes the file. False when it had none or has no attributes.
 */
export function clearImmutable(path: PathBytes): boolean {
  let fd: number;
  try {
    fd = openSync(path as Buffer, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return false;
  }
  try {
    const flags = new Int32Array(2);
    if (cIoctl(fd, FS_IOC_GETFLAGS, flags) !== 0) return false;
    const cleared = (flags[0] as number) & ~(FS_IMMUTABLE_FL | FS_APPEND_FL);
    if (cleared === flags[0]) return false;
    flags[0] = cleared;
    return cIoctl(fd, FS_IOC_SETFLAGS, flags) === 0;
  } finally {
    closeSync(fd);
  }
}

/** rename(2) that fails with EEXIST where `to` exists. Throws with errno EINVAL where the file system can't do it. */
export function renameNoReplace(from: PathBytes, to: PathBytes): void {
  if (cRenameat2(AT_FDCWD, pathArgument(from), AT_FDCWD, pathArgument(to), RENAME_NOREPLACE) !== 0) {
    throw syscallError('renameat2', errnoName(), { from: pathText(from), to: pathText(to) });
  }
}
