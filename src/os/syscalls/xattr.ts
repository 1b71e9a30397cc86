import { errnoName, libc, type PathBytes, pathArgument, pathText, syscallError } from './lib.js';

const cSet = libc<(path: PathBytes, name: string, value: Uint8Array, size: number, flags: number) => number>(
  'int lsetxattr(const char *path, const char *name, const void *value, size_t size, int flags)',
);
const cGet = libc<(path: PathBytes, name: string, value: Uint8Array | null, size: number) => number>(
  'int64_t lgetxattr(const char *path, const char *name, void *value, size_t size)',
);
const cList = libc<(path: PathBytes, list: Uint8Array | null, size: number) => number>(
  'int64_t llistxattr(const char *path, void *list, size_t size)',
);
const cRemove = libc<(path: PathBytes, name: string) => number>('int lremovexattr(const char *path, const char *name)');

/** Sets an extended attribute; a final symbolic link is not followed. */
export function lsetxattr(path: PathBytes, name: string, value: Uint8Array): void {
  if (cSet(pathArgument(path), name, value, value.length, 0) !== 0)
    throw syscallError('lsetxattr', errnoName(), { path: pathText(path), name });
}

/** Reads an extended attribute; `undefined` when the file has none of this name or the file system knows none. */
export function lgetxattr(path: PathBytes, name: string): Buffer | undefined {
  for (let size = 256; ; size = 65536) {
    const buffer = Buffer.alloc(size);
    const length = Number(cGet(pathArgument(path), name, buffer, size));
    if (length >= 0) return buffer.subarray(0, length);
    const errno = errnoName();
    if (errno === 'ENODATA' || errno === 'ENOTSUP' || errno === 'EOPNOTSUPP') return undefined;
    if (errno !== 'ERANGE' || size === 65536) throw syscallError('lgetxattr', errno, { path: pathText(path), name });
  }
}

/** Names of the extended attributes of a file; none where the file system knows none. */
export function llistxattr(path: PathBytes): string[] {
  for (let size = 1024; ; size = 65536) {
    const buffer = Buffer.alloc(size);
    const length = Number(cList(pathArgument(path), buffer, size));
    if (length >= 0) return buffer.toString('utf8', 0, length).split('\0').filter(Boolean);
    const errno = errnoName();
    if (errno === 'ENOTSUP' || errno === 'EOPNOTSUPP') return [];
    if (errno !== 'ERANGE' || size === 65536) throw syscallError('llistxattr', errno, { path: pathText(path) });
  }
}

/** Removes an extended attribute; one that is not there is fine. */
export function lremovexattr(path: PathBytes, name: string): void {
  if (cRemove(pathArgument(path), name) === 0) return;
  const errno = errnoName();
  if (errno !== 'ENODATA') throw syscallError('lremovexattr', errno, { path: pathText(path), name });
}
