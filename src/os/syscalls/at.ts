import { constants } from 'node:fs';
import { errnoName, libc, type PathBytes, pathArgument, pathText, syscallError } from './lib.js';

const cOpenat2 = libc<(n: number, dirfd: number, path: PathBytes, how: BigUint64Array, size: number) => number>(
  'long syscall(long n, int dirfd, const char *path, const uint64_t *how, size_t size)',
);
const cUnlinkat = libc<(dirfd: number, path: PathBytes, flags: number) => number>(
  'int unlinkat(int dirfd, const char *path, int flags)',
);
const cRenameat = libc<(fromFd: number, from: PathBytes, toFd: number, to: PathBytes) => number>(
  'int renameat(int fromfd, const char *from, int tofd, const char *to)',
);

const SYS_OPENAT2 = 437;
const O_CLOEXEC = 0o2000000;
const O_PATH = 0o10000000;
const RESOLVE_NO_XDEV = 0x01n;
const RESOLVE_NO_MAGICLINKS = 0x02n;
const RESOLVE_NO_SYMLINKS = 0x04n;
const RESOLVE_BENEATH = 0x08n;
const AT_REMOVEDIR = 0x200;

/**
 * Opens a directory below `dirfd` that is reached without any symbolic link, `..` or mount: what a racer puts in the
 * way gives ELOOP, ENOTDIR or EXDEV. With `pathOnly` the descriptor only names it. Closed on exec. Needs Linux 5.6.
 */
export function openDirectoryBeneath(dirfd: number, path: PathBytes, options: { pathOnly?: boolean } = {}): number {
  const flags = constants.O_DIRECTORY | constants.O_NOFOLLOW | O_CLOEXEC | (options.pathOnly ? O_PATH : 0);
  const resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  const how = new BigUint64Array([BigInt(flags), 0n, resolve]);
  const fd = Number(cOpenat2(SYS_OPENAT2, dirfd, pathArgument(path), how, how.byteLength));
  if (fd < 0) throw syscallError('openat2', errnoName(), { path: pathText(path) });
  return fd;
}

/** unlinkat(2) of one name in an open directory; `directory` removes an empty directory. */
export function unlinkat(dirfd: number, name: PathBytes, options: { directory?: boolean } = {}): void {
  if (cUnlinkat(dirfd, pathArgument(name), options.directory ? AT_REMOVEDIR : 0) !== 0)
    throw syscallError('unlinkat', errnoName(), { name: pathText(name) });
}

/** renameat(2) between two open directories. */
export function renameat(fromFd: number, from: PathBytes, toFd: number, to: PathBytes): void {
  if (cRenameat(fromFd, pathArgument(from), toFd, pathArgument(to)) !== 0)
    throw syscallError('renameat', errnoName(), { from: pathText(from), to: pathText(to) });
}
