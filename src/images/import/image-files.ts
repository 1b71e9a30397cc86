import { closeSync, constants, createReadStream, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { engineError, quote } from '../../errors/index.js';
import { resolveInRoot } from '../../os/index.js';
import type { CallOptions } from '../../util/signals.js';
import { ioError } from '../io-error.js';

/** The files of an image source by relative path: a directory or a tar archive. */
export interface ImageFiles {
  /** What to call the source in messages. */
  readonly name: string;
  /** Size of a file; `undefined` when there is none of that name. */
  size(path: string): number | undefined;
  /** Streams a file. Throws BAD_ARCHIVE when it is missing. */
  open(path: string, call?: CallOptions): AsyncIterable<Uint8Array>;
  /** A whole small file; throws BAD_MANIFEST when it has more than `maxBytes`. */
  read(path: string, maxBytes: number): Buffer;
  /** Top-level names, to tell what kind of source it is. */
  topLevel(): ReadonlySet<string>;
  close(): void;
}

const CHUNK = 1024 * 1024;

export function missingFile(source: string, path: string): Error {
  return engineError('BAD_ARCHIVE', `image source ${quote(source)} lacks the file ${quote(path)}`, {
    details: { source, path: quote(path) },
  });
}

export function documentTooLarge(source: string, path: string, size: number, maxBytes: number): Error {
  return engineError('BAD_MANIFEST', `${quote(path)} of ${quote(source)} has ${size} bytes, more than ${maxBytes}`, {
    details: { source, path: quote(path), size, maxBytes },
  });
}

/** Reads exactly `length` bytes at `offset`; shorter when the file ends. */
export function readAt(fd: number, offset: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  let done = 0;
  while (done < length) {
    const count = readSync(fd, buffer, done, length - done, offset + done);
    if (count === 0) break;
    done += count;
  }
  return buffer.subarray(0, done);
}

/** An image source that is a directory. Links in it are followed, but never out of it. */
export class DirectoryFiles implements ImageFiles {
  readonly name: string;
  readonly #names: ReadonlySet<string>;

  constructor(root: string, names: ReadonlySet<string>) {
    this.name = root;
    this.#names = names;
  }

  size(path: string): number | undefined {
    const fd = this.#openFile(path);
    if (fd === undefined) return undefined;
    const { size } = fstatSync(fd);
    closeSync(fd);
    return size;
  }

  open(path: string): AsyncIterable<Uint8Array> {
    const fd = this.#openFile(path);
    if (fd === undefined) throw missingFile(this.name, path);
    return createReadStream('', { fd, highWaterMark: CHUNK });
  }

  read(path: string, maxBytes: number): Buffer {
    const fd = this.#openFile(path);
    if (fd === undefined) throw missingFile(this.name, path);
    try {
      const { size } = fstatSync(fd);
      if (size > maxBytes) throw documentTooLarge(this.name, path, size, maxBytes);
      return readAt(fd, 0, size);
    } finally {
      closeSync(fd);
    }
  }

  topLevel(): ReadonlySet<string> {
    return this.#names;
  }

  close(): void {}

  /** Opens a regular file only: no FIFO may block us, no device may be read. */
  #openFile(path: string): number | undefined {
    const inside = resolveInRoot(this.name, path);
    let fd: number;
    try {
      fd = openSync(inside, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP' || code === 'ENXIO') return undefined;
      throw ioError(error, 'image file', join(this.name, path));
    }
    if (fstatSync(fd).isFile()) return fd;
    closeSync(fd);
    return undefined;
  }
}
