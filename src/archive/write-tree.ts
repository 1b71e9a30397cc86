import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
} from 'node:fs';
import { engineError, quote } from '../errors/index.js';
import { lgetxattr, llistxattr, majorOf, minorOf } from '../os/syscalls/index.js';
import { type CallOptions, throwIfAborted } from '../util/signals.js';
import { byteString, byteStringToText, compareBytes, fsPath, syscallPath } from './byte-string.js';
import { OVERLAY_XATTR } from './layer-metadata.js';
import { type TarEntry, type TarEntryType, tarEntry } from './tar-entry.js';
import { encodeTarHeader, TAR_END, tarPadding } from './tar-writer.js';

export interface TreeToTarOptions extends CallOptions {
  /** Whether an entry (and all below it) is written; its path is a byte string relative to the root, '' for the root. */
  readonly filter?: (path: string, type: TarEntryType) => boolean;
  /** All times 0: trees that differ in nothing else give the same bytes. @defaultValue false */
  readonly reproducible?: boolean;
  /** Whether the root directory itself is an entry (`./`). @defaultValue true */
  readonly includeRoot?: boolean;
}

const CHUNK_SIZE = 1 << 20;
const OPEN_DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const READ_FILE = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * A directory tree as a tar stream: all types but sockets, owners, modes, times in nanoseconds, extended attributes,
 * hard links; names in the order of their bytes. Directories are walked by descriptor, so that a link that somebody
 * puts in the place of a directory meanwhile leads nowhere. A file that shrinks while it is read throws BAD_SOURCE; one
 * that grows is cut at the size it had.
 */
export async function* tarFromDirectory(
  root: string,
  options: TreeToTarOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const rootFd = openRoot(root);
  const walk = new TreeWalk(options);
  try {
    yield* walk.directory(rootFd, '');
    yield TAR_END;
  } finally {
    closeSync(rootFd);
  }
}

function openRoot(root: string): number {
  try {
    return openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    throw engineError('SOURCE_NOT_FOUND', `directory ${quote(root)} can't be opened`, {
      details: { root },
      cause: error,
    });
  }
}

class TreeWalk {
  readonly #options: TreeToTarOptions;
  /** First path of each file with several names, by device and inode. */
  readonly #links = new Map<string, string>();

  constructor(options: TreeToTarOptions) {
    this.#options = options;
  }

  async *directory(fd: number, path: string): AsyncGenerator<Uint8Array, void, undefined> {
    throwIfAborted(this.#options.signal);
    // A descriptor's path under /proc stays on the directory that was opened.
    const handle = `/proc/self/fd/${fd}`;
    if (path !== '' || this.#options.includeRoot !== false) {
      const stat = fstatSync(fd, { bigint: true });
      const name = path === '' ? './' : path;
      yield encodeTarHeader(this.#entry(name, 'directory', stat, readXattrs(`${handle}/.`)));
    }
    for (const name of readdirSync(handle, 'latin1').sort(compareBytes)) {
      yield* this.#child(`${handle}/${name}`, path === '' ? name : `${path}/${name}`);
    }
  }

  async *#child(handle: string, path: string): AsyncGenerator<Uint8Array, void, undefined> {
    const stat = lstatSync(fsPath(handle), { bigint: true, throwIfNoEntry: false });
    const type = stat === undefined ? undefined : typeOf(stat);
    if (stat === undefined || type === undefined) return;
    if (this.#options.filter?.(path, type) === false) return;
    if (type === 'directory') {
      const fd = openSync(fsPath(handle), OPEN_DIRECTORY);
      try {
        yield* this.directory(fd, path);
      } finally {
        closeSync(fd);
      }
      return;
    }
    const first = this.#firstName(stat, path);
    if (first !== undefined) {
      yield encodeTarHeader({ ...this.#entry(path, 'hardlink', stat, undefined), linkPath: first });
    } else if (type === 'file') {
      yield* this.#file(handle, path);
    } else {
      const linkPath = type === 'symlink' ? readlinkSync(fsPath(handle), 'latin1') : '';
      yield encodeTarHeader({ ...this.#entry(path, type, stat, readXattrs(handle)), linkPath });
    }
  }

  async *#file(handle: string, path: string): AsyncGenerator<Uint8Array, void, undefined> {
    const fd = openSync(fsPath(handle), READ_FILE);
    try {
      const stat = fstatSync(fd, { bigint: true });
      if (!stat.isFile()) throw changed(path);
      const size = Number(stat.size);
      const header = encodeTarHeader({ ...this.#entry(path, 'file', stat, readXattrs(handle)), size });
      yield header;
      for (let done = 0; done < size; ) {
        throwIfAborted(this.#options.signal);
        const chunk = Buffer.allocUnsafe(Math.min(CHUNK_SIZE, size - done));
        const count = readSync(fd, chunk, 0, chunk.length, done);
        if (count === 0) throw changed(path);
        done += count;
        yield count === chunk.length ? chunk : chunk.subarray(0, count);
      }
      const padding = tarPadding(size);
      if (padding.length > 0) yield padding;
    } finally {
      closeSync(fd);
    }
  }

  #firstName(stat: BigIntStats, path: string): string | undefined {
    if (stat.nlink < 2n) return undefined;
    const key = `${stat.dev}:${stat.ino}`;
    const first = this.#links.get(key);
    if (first === undefined) this.#links.set(key, path);
    return first;
  }

  #entry(path: string, type: TarEntryType, stat: BigIntStats, xattrs: Map<string, Buffer> | undefined): TarEntry {
    const isDevice = type === 'char' || type === 'block';
    return tarEntry({
      path,
      type,
      mode: Number(stat.mode & 0o7777n),
      uid: Number(stat.uid),
      gid: Number(stat.gid),
      mtimeNs: this.#options.reproducible ? 0n : stat.mtimeNs,
      devMajor: isDevice ? majorOf(stat.rdev) : 0,
      devMinor: isDevice ? minorOf(stat.rdev) : 0,
      ...(xattrs === undefined ? {} : { xattrs }),
    });
  }
}

function typeOf(stat: BigIntStats): TarEntryType | undefined {
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'directory';
  if (stat.isSymbolicLink()) return 'symlink';
  if (stat.isCharacterDevice()) return 'char';
  if (stat.isBlockDevice()) return 'block';
  return stat.isFIFO() ? 'fifo' : undefined;
}

function readXattrs(handle: string): Map<string, Buffer> | undefined {
  let xattrs: Map<string, Buffer> | undefined;
  for (const name of llistxattr(syscallPath(handle))) {
    // These steer an overlay of the host; in an archive they would be an attack.
    if (OVERLAY_XATTR.test(name)) continue;
    const value = lgetxattr(syscallPath(handle), name);
    if (value !== undefined) (xattrs ??= new Map()).set(byteString(name), value);
  }
  return xattrs;
}

function changed(path: string): Error {
  const shown = byteStringToText(path);
  return engineError('BAD_SOURCE', `file ${quote(shown)} changed while it was read`, { details: { path: shown } });
}
