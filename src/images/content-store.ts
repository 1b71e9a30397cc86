import { createHash, type Hash } from 'node:crypto';
import {
  closeSync,
  createReadStream,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { engineError, quote } from '../errors/index.js';
import { newToken } from '../util/ids.js';
import { type CallOptions, throwIfAborted } from '../util/signals.js';
import { digestFromHex, digestHex, digestOf } from './digest.js';
import { ioError } from './io-error.js';
import type { Digest } from './types.js';

/** Blobs above this are refused unless the caller allows more: 64 GiB. */
const DEFAULT_MAX_BYTES = 64 * 1024 ** 3;

export interface IngestOptions extends CallOptions {
  /** What the content must hash to. Throws DIGEST_MISMATCH. */
  readonly digest?: Digest | undefined;
  /** Its exact size in bytes. Throws SIZE_MISMATCH, as soon as there is a byte too many. */
  readonly size?: number | undefined;
  /** Cap where the size is not known. Throws LAYER_TOO_LARGE. */
  readonly maxBytes?: number | undefined;
  /** Who ingests: the lease whose death makes an unfinished file garbage. */
  readonly owner?: string | undefined;
  /** Told the digest before the blob can be seen, so that it can be leased. */
  readonly beforePublish?: ((digest: Digest) => Promise<void>) | undefined;
}

/** Size and digest of a stored blob. */
export interface BlobInfo {
  readonly digest: Digest;
  readonly size: number;
}

/**
 * Content by its sha256: `<dir>/blobs/sha256/<hex>`. A blob is complete and durable the moment its name exists; what is
 * being written is in `<dir>/ingest`. Any number of processes may write the same blob at once: the last rename wins, all
 * are equal.
 */
export class ContentStore {
  readonly #blobs: string;
  readonly #ingest: string;
  readonly #temp: string;

  private constructor(blobs: string, ingest: string, temp: string) {
    this.#blobs = blobs;
    this.#ingest = ingest;
    this.#temp = temp;
  }

  /** `tempDir`: for copies of sources that can't be read in place; nobody else's. Default: beside the blobs. */
  static open(options: { readonly dir: string; readonly tempDir?: string | undefined }): ContentStore {
    const blobs = join(options.dir, 'blobs', 'sha256');
    const ingest = join(options.dir, 'ingest');
    const temp = options.tempDir ?? ingest;
    for (const dir of [blobs, ingest, temp]) mkdirSync(dir, { recursive: true, mode: 0o700 });
    return new ContentStore(blobs, ingest, temp);
  }

  /** Path of a blob, whether it exists or not. */
  path(digest: Digest): string {
    return join(this.#blobs, digestHex(digest));
  }

  find(digest: Digest): BlobInfo | undefined {
    const stat = statSync(this.path(digest), { throwIfNoEntry: false });
    return stat?.isFile() ? { digest, size: stat.size } : undefined;
  }

  /** Streams a blob; throws BLOB_NOT_FOUND. The bytes were verified when they came in, not again here. */
  open(digest: Digest): Readable {
    if (this.find(digest) === undefined) throw notFound(digest);
    return createReadStream(this.path(digest), { highWaterMark: 1024 * 1024 });
  }

  /** A small blob, verified again. Throws BLOB_NOT_FOUND, SIZE_MISMATCH, DIGEST_MISMATCH, BAD_MANIFEST above `maxBytes`. */
  readDocument(expected: { readonly digest: Digest; readonly size?: number | undefined }, maxBytes: number): Buffer {
    const found = this.find(expected.digest);
    if (found === undefined) throw notFound(expected.digest);
    if (expected.size !== undefined && found.size !== expected.size) throw wrongSize(expected, found.size);
    if (found.size > maxBytes) {
      throw engineError('BAD_MANIFEST', `document ${expected.digest} has ${found.size} bytes, more than ${maxBytes}`, {
        details: { digest: expected.digest, size: found.size, maxBytes },
      });
    }
    const bytes = readFileSync(this.path(expected.digest));
    const actual = digestOf(bytes);
    if (actual !== expected.digest) throw wrongDigest(expected.digest, actual);
    return bytes;
  }

  /** Stores a stream while hashing it; what does not match is gone again before the error is thrown. Idempotent. */
  async ingest(source: AsyncIterable<Uint8Array>, options: IngestOptions = {}): Promise<BlobInfo> {
    const temp = join(this.#ingest, `${options.owner ?? 'none'}-${newToken()}`);
    try {
      const written = await this.#write(temp, source, options);
      if (options.size !== undefined && written.size !== options.size) throw wrongSize(options, written.size);
      if (options.digest !== undefined && written.digest !== options.digest) {
        throw wrongDigest(options.digest, written.digest);
      }
      await options.beforePublish?.(written.digest);
      throwIfAborted(options.signal);
      this.#publish(temp, written.digest);
      return written;
    } catch (error) {
      rmSync(temp, { force: true });
      throw ioError(error, 'blob', temp);
    }
  }

  async #write(temp: string, source: AsyncIterable<Uint8Array>, options: IngestOptions): Promise<BlobInfo> {
    const hash: Hash = createHash('sha256');
    const limit = options.size ?? options.maxBytes ?? DEFAULT_MAX_BYTES;
    let size = 0;
    const file = await open(temp, 'wx', 0o600);
    try {
      // The umask must not widen or narrow what a store file may be.
      await file.chmod(0o600);
      for await (const chunk of source) {
        throwIfAborted(options.signal);
        size += chunk.length;
        if (size > limit) {
          if (options.size !== undefined) throw wrongSize(options, size);
          throw engineError('LAYER_TOO_LARGE', `blob is larger than the limit of ${limit} bytes`, {
            details: { limit },
          });
        }
        hash.update(chunk);
        for (let done = 0; done < chunk.length; ) {
          done += (await file.write(chunk, done, chunk.length - done)).bytesWritten;
        }
      }
      throwIfAborted(options.signal);
      await file.sync();
    } finally {
      await file.close();
    }
    return { digest: `sha256:${hash.digest('hex')}`, size };
  }

  #publish(temp: string, digest: Digest): void {
    renameSync(temp, this.path(digest));
    const dir = openSync(this.#blobs, 'r');
    try {
      fsyncSync(dir);
    } finally {
      closeSync(dir);
    }
  }

  /** Takes a file of the same file system whose bytes the caller hashed to `digest`: it becomes the blob, durably. */
  async adopt(path: string, digest: Digest): Promise<void> {
    try {
      const file = await open(path, 'r+');
      try {
        await file.chmod(0o600);
        await file.sync();
      } finally {
        await file.close();
      }
      this.#publish(path, digest);
    } catch (error) {
      throw ioError(error, 'blob', path);
    }
  }

  /** Stores bytes that are in memory. */
  put(bytes: Uint8Array, options: IngestOptions = {}): Promise<BlobInfo> {
    async function* one(): AsyncGenerator<Uint8Array> {
      yield bytes;
    }
    return this.ingest(one(), options);
  }

  /** Deletes a blob. Idempotent. */
  delete(digest: Digest): void {
    rmSync(this.path(digest), { force: true });
  }

  list(): BlobInfo[] {
    return readdirSync(this.#blobs).flatMap((name) => {
      const digest = digestFromHex(name);
      const found = digest === undefined ? undefined : this.find(digest);
      return found === undefined ? [] : [found];
    });
  }

  /** A new empty file for the ingester's own use, swept with its other leftovers; the caller deletes it. */
  tempPath(owner: string): string {
    return join(this.#temp, `${owner}-${newToken()}`);
  }

  /** Deletes unfinished files whose owner is not in `live`. */
  sweepIngest(live: ReadonlySet<string>): void {
    for (const dir of new Set([this.#ingest, this.#temp])) {
      for (const name of readdirSync(dir)) {
        const owner = name.slice(0, Math.max(0, name.lastIndexOf('-')));
        if (!live.has(owner)) rmSync(join(dir, name), { force: true, recursive: true });
      }
    }
  }

  /** True when someone's unfinished files are there. */
  hasUnfinished(): boolean {
    return [this.#ingest, this.#temp].some((dir) => readdirSync(dir).length > 0);
  }
}

function notFound(digest: Digest): Error {
  return engineError('BLOB_NOT_FOUND', `blob ${quote(digest)} is not in the content store`, { details: { digest } });
}

function wrongSize(
  expected: { readonly digest?: Digest | undefined; readonly size?: number | undefined },
  size: number,
): Error {
  const name = expected.digest ?? 'without digest';
  return engineError('SIZE_MISMATCH', `blob ${name} has ${size} bytes or more where ${expected.size} were announced`, {
    details: { digest: expected.digest, expected: expected.size, actual: size },
  });
}

function wrongDigest(expected: Digest, actual: Digest): Error {
  return engineError('DIGEST_MISMATCH', `content announced as ${expected} hashes to ${actual}`, {
    details: { expected, actual },
  });
}
