import { constants } from 'node:fs';
import { errnoName, libc, type PathBytes, pathArgument, pathText, syscallError } from './lib.js';

const cOpenat2 = libc<(n: number, dirfd: number, path: PathBytes, how: BigUint64Array, size: number) => number>(
  'long syscall(long n, int dirfd, const char *path, const uint64_t *how, size_t size)',
);

const SYS_OPENAT2 = 437;
const O_CLOEXEC = 0o2000000;
const O_PATH = 0o10000000;
const RESOLVE_NO_XDEV = 0x01n;
const RESOLVE_NO_MAGICLINKS = 0x02n;
const RESOLVE_NO_SYMLINKS = 0x04n;
const RESOLVE_BENEATH = 0x08n;
const RESOLVE_IN_ROOT = 0x10n;

/** openat2(2) with RESOLVE_IN_ROOT: `path` is resolved as if `rootFd` were `/`; symbolic links can't leave it. Closed on exec. Needs Linux 5.6. */
export function openat2InRoot(rootFd: number, path: string, flags: number, mode = 0): number {
  return openat2(rootFd, path, flags, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS, mode);
}

/**
 * openat2(2) of a directory below `dirfd` that is reached without any symbolic link, `..` or mount: what a racer puts
 * in the way gives ELOOP, ENOTDIR or EXDEV. With `pathOnly` the descriptor only names it. Closed on exec. Needs Linux 5.6.
 */
export function openat2Directory(
  dirfd: number,
  path: PathBytes,
  options: { readonly pathOnly?: boolean } = {},
): number {
  const flags = constants.O_DIRECTORY | constants.O_NOFOLLOW | (options.pathOnly ? O_PATH : 0);
  return openat2(dirfd, path, flags, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV);
}

function openat2(dirfd: number, path: PathBytes, flags: number, resolve: bigint, mode = 0): number {
  const how = new BigUint64Array([BigInt(flags | O_CLOEXEC), BigInt(mode), resolve]);
  const fd = Number(cOpenat2(SYS_OPENAT2, dirfd, pathArgument(path), how, how.byteLength));
  if (fd < 0) throw syscallError('openat2', errnoName(), { path: pathText(path) });
  return fd;
}
