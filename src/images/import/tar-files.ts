import { closeSync, createReadStream, openSync } from 'node:fs';
import { type CallOptions, throwIfAborted } from '../../util/signals.js';
import { ioError } from '../io-error.js';
import { documentTooLarge, type ImageFiles, missingFile, readAt } from './image-files.js';
import { cleanPath, indexTar, type TarIndex } from './tar-index.js';

const MAX_LINKS = 8;

interface Located {
  readonly offset: number;
  readonly size: number;
}

/** An image source that is an uncompressed tar file: read in place, by the offsets of its entries. */
export class TarFiles implements ImageFiles {
  readonly name: string;
  readonly #path: string;
  readonly #fd: number;
  readonly #index: TarIndex;

  private constructor(name: string, path: string, fd: number, index: TarIndex) {
    this.name = name;
    this.#path = path;
    this.#fd = fd;
    this.#index = index;
  }

  /** Indexes the archive at `path`, called `name` in messages. Throws BAD_ARCHIVE. */
  static async open(path: string, name: string, call: CallOptions = {}): Promise<TarFiles> {
    const index = await indexTar(path, call);
    try {
      return new TarFiles(name, path, openSync(path, 'r'), index);
    } catch (error) {
      throw ioError(error, 'archive', path);
    }
  }

  size(path: string): number | undefined {
    return this.#find(path)?.size;
  }

  async *open(path: string, call: CallOptions = {}): AsyncGenerator<Uint8Array> {
    const { offset, size } = this.#get(path);
    if (size === 0) return;
    const stream = createReadStream(this.#path, { start: offset, end: offset + size - 1, highWaterMark: 1024 * 1024 });
    for await (const chunk of stream) {
      throwIfAborted(call.signal);
      yield chunk as Buffer;
    }
  }

  read(path: string, maxBytes: number): Buffer {
    const { offset, size } = this.#get(path);
    if (size > maxBytes) throw documentTooLarge(this.name, path, size, maxBytes);
    return readAt(this.#fd, offset, size);
  }

  topLevel(): ReadonlySet<string> {
    return new Set([...this.#index.keys()].map((path) => path.split('/', 1)[0] ?? ''));
  }

  close(): void {
    closeSync(this.#fd);
  }

  #get(path: string): Located {
    const found = this.#find(path);
    if (found === undefined) throw missingFile(this.name, path);
    return found;
  }

  /** Old docker saves have a layer that several images share as a link to the first one's. */
  #find(path: string): Located | undefined {
    let at = cleanPath(path);
    for (let links = 0; at !== undefined && links <= MAX_LINKS; links++) {
      const entry = this.#index.get(at);
      if (entry?.type === 'file') return entry;
      if (entry?.type !== 'link') return undefined;
      at = entry.target;
    }
    return undefined;
  }
}
