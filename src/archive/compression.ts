import { Readable, type Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import { engineError } from '../errors/index.js';
import { findExecutable } from '../os/index.js';
import { type CallOptions, throwIfAborted } from '../util/signals.js';
import { filterThroughChild } from './child-filter.js';
import { RECYCLED_CHUNK, recycledThrough } from './recycled-through.js';

export type Compression = 'none' | 'gzip' | 'zstd' | 'bzip2' | 'xz';

/** Bytes that `detectCompression` wants to see. */
export const DETECT_BYTES = 6;

/** Tells the compression of a stream by its first bytes. */
export function detectCompression(firstBytes: Uint8Array): Compression {
  const starts = (...magic: number[]) => magic.every((byte, i) => firstBytes[i] === byte);
  if (starts(0x1f, 0x8b)) return 'gzip';
  if (starts(0x28, 0xb5, 0x2f, 0xfd)) return 'zstd';
  // Skippable frames may come first.
  if (
    ((firstBytes[0] ?? 0) & 0xf0) === 0x50 &&
    firstBytes[1] === 0x2a &&
    firstBytes[2] === 0x4d &&
    firstBytes[3] === 0x18
  ) {
    return 'zstd';
  }
  if (starts(0x42, 0x5a, 0x68)) return 'bzip2';
  if (starts(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00)) return 'xz';
  return 'none';
}

/** What unpacking may give at most. */
export interface DecompressLimits {
  /** Bytes. @defaultValue 128 GiB */
  readonly maxOutputBytes?: number;
  /** Output bytes per input byte, heeded once the output is larger than `ratioFromBytes`. @defaultValue 200 */
  readonly maxRatio?: number;
  /** Smaller output may have any ratio: files of zeros are no attack. @defaultValue 1 GiB */
  readonly ratioFromBytes?: number;
}

export interface DecompressOptions extends CallOptions {
  /** Unpack gzip with `igzip` where the host has it: twice as fast as zlib for large data. @defaultValue false */
  readonly usesPrograms?: boolean;
  /**
   * A chunk that is given is good until the next one is asked for, and its memory is used again: a third less work for
   * large data. The source may do the same. @defaultValue false
   */
  readonly recycles?: boolean;
}

/** Larger than Node's default: layers unpack in less than half the time. */
const CHUNK_SIZE = 256 * 1024;

/** Memory that a zstd frame may ask for: what the zstd tool allows too. */
const ZSTD_WINDOW_LOG = 27;

/**
 * Decompresses a stream. gzip may have several members; zstd uses Node's own where it has it, else the `zstd` program;
 * bzip2 and xz always use their programs. Large chunks in (1 MiB) make it fast.
 *
 * Throws BAD_ARCHIVE (broken or truncated), LAYER_TOO_LARGE (a limit), TOOL_MISSING (no program), CANCELED.
 */
export async function* decompress(
  source: AsyncIterable<Uint8Array>,
  kind: Compression,
  limits: DecompressLimits = {},
  call: DecompressOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const meter = new Meter(limits);
  const counted = meter.input(source, call.signal);
  for await (const chunk of decompressor(counted, kind, call)) {
    throwIfAborted(call.signal);
    meter.output(chunk.length);
    yield chunk;
  }
}

function decompressor(
  source: AsyncIterable<Uint8Array>,
  kind: Compression,
  call: DecompressOptions,
): AsyncIterable<Uint8Array> {
  switch (kind) {
    case 'none':
      return source;
    case 'gzip':
      if (call.usesPrograms && findExecutable('igzip') !== undefined) {
        return filterThroughChild(source, 'igzip', ['-dc'], call);
      }
      if (call.recycles) return recycledThrough(source, zlib.createGunzip({ chunkSize: RECYCLED_CHUNK }), kind);
      return through(source, zlib.createGunzip({ chunkSize: CHUNK_SIZE }), kind);
    case 'zstd': {
      const native = nativeZstd();
      if (native !== undefined) return through(source, native, kind);
      return filterThroughChild(source, 'zstd', ['-dcq', `--memory=${2 ** (ZSTD_WINDOW_LOG - 20)}MB`], call);
    }
    default:
      return filterThroughChild(source, kind, ['-dc'], call);
  }
}

/** Node 22.15 and later. */
function nativeZstd(): Transform | undefined {
  const modern = zlib as typeof zlib & {
    createZstdDecompress?: (options: { chunkSize: number; params?: Record<number, number> }) => Transform;
  };
  const constants = zlib.constants as typeof zlib.constants & { ZSTD_d_windowLogMax?: number };
  const windowLog = constants.ZSTD_d_windowLogMax;
  return modern.createZstdDecompress?.({
    chunkSize: CHUNK_SIZE,
    ...(windowLog === undefined ? {} : { params: { [windowLog]: ZSTD_WINDOW_LOG } }),
  });
}

/** Compresses with gzip; the same input gives the same bytes (no name, no time). */
export function compressGzip(
  source: AsyncIterable<Uint8Array>,
  options: { readonly level?: number } = {},
): AsyncIterable<Uint8Array> {
  return through(source, zlib.createGzip({ chunkSize: CHUNK_SIZE, level: options.level ?? 6 }), 'gzip');
}

/** Runs `source` through a transform of zlib; leaves nothing open whichever side ends first. */
async function* through(
  source: AsyncIterable<Uint8Array>,
  transform: Transform,
  kind: Compression,
): AsyncGenerator<Uint8Array, void, undefined> {
  const input = Readable.from(source, { objectMode: false, highWaterMark: 1 << 20 });
  let failure: unknown;
  input.on('error', (error) => {
    failure ??= error;
    transform.destroy(error);
  });
  input.pipe(transform);
  try {
    yield* transform as AsyncIterable<Uint8Array>;
  } catch (error) {
    if (failure !== undefined) throw failure;
    throw engineError('BAD_ARCHIVE', `the ${kind} data is broken or truncated`, { cause: error });
  } finally {
    transform.destroy();
    input.destroy();
  }
}

/** Counts both sides of a decompression. */
class Meter {
  readonly #maxOutputBytes: number;
  readonly #maxRatio: number;
  readonly #ratioFromBytes: number;
  #in = 0;
  #out = 0;

  constructor(limits: DecompressLimits) {
    this.#maxOutputBytes = limits.maxOutputBytes ?? 128 * 2 ** 30;
    this.#maxRatio = limits.maxRatio ?? 200;
    this.#ratioFromBytes = limits.ratioFromBytes ?? 2 ** 30;
  }

  async *input(source: AsyncIterable<Uint8Array>, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      throwIfAborted(signal);
      this.#in += chunk.length;
      yield chunk;
    }
  }

  output(bytes: number): void {
    this.#out += bytes;
    if (this.#out > this.#maxOutputBytes) throw tooLarge('maxOutputBytes', this.#maxOutputBytes);
    // What was taken in but not yet unpacked only makes the ratio smaller: the check is never too strict.
    if (this.#out > this.#ratioFromBytes && this.#out > this.#in * this.#maxRatio)
      throw tooLarge('maxRatio', this.#maxRatio);
  }
}

function tooLarge(limit: string, value: number): Error {
  return engineError('LAYER_TOO_LARGE', `the compressed data unpacks to more than ${limit} ${value} allows`, {
    details: { [limit]: value },
  });
}
