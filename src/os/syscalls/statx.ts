import { errnoName, libc, type PathBytes, pathArgument, pathText, syscallError } from './lib.js';

const cStatx = libc<(dirfd: number, path: PathBytes, flags: number, mask: number, buffer: Uint8Array) => number>(
  'int statx(int dirfd, const char *path, int flags, unsigned int mask, void *buffer)',
);

const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_NO_AUTOMOUNT = 0x800;
const AT_EMPTY_PATH = 0x1000;
const STATX_BASIC_STATS = 0x7ff;
const STATX_MNT_ID = 0x1000;
const STATX_BYTES = 256;
const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;

/** What statx(2) says of a file. */
export interface FileStatus {
  readonly isDirectory: boolean;
  readonly links: number;
  /** Device and inode: the same for two names of one file only. */
  readonly inode: string;
  readonly bytes: number;
  /** Of 512 bytes. */
  readonly blocks: number;
  /** As in mountinfo; `undefined` before Linux 5.8. */
  readonly mountId: number | undefined;
}

/**
 * statx(2) of a name in an open directory, of itself where the name is empty. A link is not followed, an automount not
 * triggered. `undefined` when there is nothing.
 */
export function statx(dirfd: number, name: PathBytes): FileStatus | undefined {
  const buffer = Buffer.alloc(STATX_BYTES);
  const flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (name.length === 0 ? AT_EMPTY_PATH : 0);
  if (cStatx(dirfd, pathArgument(name), flags, STATX_BASIC_STATS | STATX_MNT_ID, buffer) !== 0) {
    const errno = errnoName();
    if (errno === 'ENOENT') return undefined;
    throw syscallError('statx', errno, { name: pathText(name) });
  }
  return {
    links: buffer.readUInt32LE(16),
    isDirectory: (buffer.readUInt16LE(28) & S_IFMT) === S_IFDIR,
    inode: `${buffer.readUInt32LE(136)}:${buffer.readUInt32LE(140)}:${buffer.readBigUInt64LE(32)}`,
    bytes: Number(buffer.readBigUInt64LE(40)),
    blocks: Number(buffer.readBigUInt64LE(48)),
    mountId: buffer.readUInt32LE(0) & STATX_MNT_ID ? Number(buffer.readBigUInt64LE(144)) : undefined,
  };
}
