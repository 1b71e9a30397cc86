import { createHash, type Hash } from 'node:crypto';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { DEFAULT_LAYER_LIMITS, type LayerTarget, LayerUnpacker } from '../../archive/index.js';
import { EngineError, engineError } from '../../errors/index.js';
import { algorithmOf } from '../digest.js';
import type { UnpackLimits } from '../layer-store.js';
import { openPlain } from '../plain-stream.js';
import type { Digest } from '../types.js';
import { type ErrorMessage, toMessage } from './error-message.js';

/** What to unpack: plain data, so that it can go to another thread. */
export interface UnpackRequest {
  /** The file that has the layer's bytes, or that is getting them. */
  readonly path: string;
  /** Bytes of the whole blob. */
  readonly size: number;
  /** Bytes that are in the file now. */
  readonly available: number;
  /** The blob's digest, when its bytes were never hashed. */
  readonly digest?: Digest;
  /** What the layer must unpack to: its algorithm counts here, the caller compares. */
  readonly diffId: Digest;
  /** Where to; without it the bytes are only hashed. */
  readonly target?: LayerTarget;
  /** The lower layers are not there yet; `settle` will bring them. */
  readonly isDetached?: boolean;
  readonly limits: UnpackLimits;
}

export interface UnpackResult {
  /** Of the file, when it was asked for. */
  readonly digest?: Digest;
  /** Of what the file unpacks to; absent when that failed. */
  readonly diffId?: Digest;
  /** What is wrong with the content. It counts only when the file is what was announced. */
  readonly failure?: ErrorMessage;
}

const CHUNK = 128 * 1024;
/** A program is worth its start for larger layers. */
const PROGRAM_FROM = 1024 * 1024;

/** Reads one layer's file as it grows: hashes it, unpacks it, hashes what comes out and puts the files in place, in one pass. */
export class UnpackJob {
  readonly #request: UnpackRequest;
  readonly #blobHash: Hash | undefined;
  readonly #unpacker: LayerUnpacker | undefined;
  readonly #onRead: (position: number) => void;
  readonly #cancel = new AbortController();
  readonly #buffer = Buffer.allocUnsafeSlow(CHUNK);
  #position = 0;
  #available: number;
  #wake: (() => void) | undefined;

  constructor(request: UnpackRequest, onRead: (position: number) => void = () => {}) {
    this.#request = request;
    this.#available = request.available;
    this.#onRead = onRead;
    this.#blobHash = request.digest === undefined ? undefined : createHash(algorithmOf(request.digest));
    const { target, isDetached, limits } = request;
    if (target !== undefined) {
      this.#unpacker = new LayerUnpacker(target, {
        limits: { ...DEFAULT_LAYER_LIMITS, ...limits.layer },
        ownership: 'image',
        detached: isDetached ?? false,
      });
    }
  }

  /** Says how many bytes the file has by now. */
  feed(available: number): void {
    this.#available = available;
    this.#wake?.();
  }

  /** Ends the job; `run` throws CANCELED. */
  cancel(): void {
    this.#cancel.abort();
    this.#wake?.();
  }

  /** Reads the file to its end. Throws DISK_FULL, CANCELED and, when the file's digest is known, what is wrong with the layer. */
  async run(): Promise<UnpackResult> {
    const { digest } = this.#request;
    const fd = openSync(this.#request.path, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      const content = await this.#unpack(fd);
      // What stands behind the compressed data is part of the blob all the same.
      for await (const _ of this.#read(fd));
      if (digest === undefined || this.#blobHash === undefined) return content;
      return { ...content, digest: `${algorithmOf(digest)}:${this.#blobHash.digest('hex')}` };
    } finally {
      this.#unpacker?.close();
      closeSync(fd);
    }
  }

  async #unpack(fd: number): Promise<UnpackResult> {
    const { size, limits, diffId, digest } = this.#request;
    const { signal } = this.#cancel;
    const hash = createHash(algorithmOf(diffId));
    try {
      for await (const chunk of openPlain(this.#read(fd), limits.decompress, {
        signal,
        usesPrograms: size >= PROGRAM_FROM,
        recycles: true,
      })) {
        hash.update(chunk);
        this.#unpacker?.push(chunk);
      }
      this.#unpacker?.end();
    } catch (error) {
      const isAboutContent =
        EngineError.is(error, 'DATA_LOSS') || EngineError.is(error, 'RESOURCE_EXHAUSTED', 'LAYER_TOO_LARGE');
      if (digest === undefined || !isAboutContent) throw error;
      return { failure: toMessage(error) };
    }
    return { diffId: `${algorithmOf(diffId)}:${hash.digest('hex')}` };
  }

  /** Finishes a detached layer in `target`; false when it has to be unpacked again there. */
  settle(target: LayerTarget): boolean {
    return this.#unpacker?.settle(target) ?? false;
  }

  async *#read(fd: number): AsyncGenerator<Uint8Array> {
    const { size } = this.#request;
    while (this.#position < size) {
      if (this.#cancel.signal.aborted) throw engineError('CANCELED', 'the layer is not wanted any more');
      const count = Math.min(CHUNK, this.#available - this.#position);
      if (count <= 0) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = undefined;
        continue;
      }
      // The first ones are kept until it is known how the data is packed; later each is done with before the next.
      const chunk = this.#position < CHUNK ? Buffer.allocUnsafeSlow(count) : this.#buffer.subarray(0, count);
      const read = readSync(fd, chunk, 0, count, this.#position);
      if (read === 0) throw engineError('BAD_ARCHIVE', `the layer's file ends at byte ${this.#position} of ${size}`);
      this.#position += read;
      const bytes = read === count ? chunk : chunk.subarray(0, read);
      this.#blobHash?.update(bytes);
      this.#onRead(this.#position);
      yield bytes;
    }
  }
}
