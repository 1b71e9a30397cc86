import { type CPath, errnoName, libc, syscallError } from './lib.js';

const cSet = libc<(path: CPath, name: string, value: Uint8Array, size: number, flags: number) => number>(
  'int lsetxattr(const char *path, const char *name, const void *value, size_t size, int flags)',
);
const cGet = libc<(path: CPath, name: string, value: Uint8Array | null, size: number) => number>(
  'int64_t lgetxattr(const char *path, const char *name, void *value, size_t size)',
);
const cList = libc<(path: CPath, list: Uint8Array | null, size: number) => number>(
  'int64_t llistxattr(const char *path, void *list, size_t size)',
);
const cRemove = libc<(path: CPath, name: string) => number>('int lremovexattr(const char *path, const char *name)');

/** Sets an extended attribute; a final symbolic link is not followed. */
export function lsetxattr(path: CPath, name: string, value: Uint8Array): void {
  if (cSet(path, name, value, value.length, 0) !== 0) throw syscallError('lsetxattr', errnoName(), { path, name });
}

/** Reads an extended attribute; `undefined` when the file has none of this name or the file system knows none. */
export function lgetxattr(path: CPath, name: string): Buffer | undefined {
  for (let size = 256; ; size = 65536) {
    const buffer = Buffer.alloc(size);
    const length = Number(cGet(path, name, buffer, size));
    if (length >= 0) return buffer.subarray(0, length);
    const errno = errnoName();
    if (errno === 'ENODATA' || errno === 'ENOTSUP' || errno === 'EOPNOTSUPP') return undefined;
    if (errno !== 'ERANGE' || size === 65536) throw syscallError('lgetxattr', errno, { path, name });
  }
}

/** Names of the extended attributes of a file; none where the file system knows none. */
export function llistxattr(path: CPath): string[] {
  for (let size = 1024; ; size = 65536) {
    const buffer = Buffer.alloc(size);
    const length = Number(cList(path, buffer, size));
    if (length >= 0) return buffer.toString('utf8', 0, length).split('\0').filter(Boolean);
    const errno = errnoName();
    if (errno === 'ENOTSUP' || errno === 'EOPNOTSUPP') return [];
    if (errno !== 'ERANGE' || size === 65536) throw syscallError('llistxattr', errno, { path });
  }
}

/** Removes an extended attribute; one that is not there is fine. */
export function lremovexattr(path: CPath, name: string): void {
  if (cRemove(path, name) === 0) return;
  const errno = errnoName();
  if (errno !== 'ENODATA') throw syscallError('lremovexattr', errno, { path, name });
}
