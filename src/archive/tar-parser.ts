import { badArchive } from './archive-error.js';
import { EntryBuilder, MAX_NAME_BYTES } from './entry-builder.js';
import { MAX_PAX_BYTES, parsePax } from './pax.js';
import { checkSegments, MAX_SPARSE_SEGMENTS, SparseMapText, segmentsOfBlock } from './sparse-map.js';
import { BLOCK_SIZE, paddingOf, type SparseSegment, type TarEntry } from './tar-entry.js';
import { decodeHeader, isZeroBlock, type RawHeader } from './tar-header.js';

/** Who gets what a `TarParser` finds. All calls are synchronous; what they throw comes out of `push`. */
export interface TarSink {
  onEntry(entry: TarEntry): void;
  /** A part of the current file's data; `position` is its place in the file. The bytes are valid during the call only. */
  onData(chunk: Buffer, position: number): void;
  /** The current entry (of any type) is complete. */
  onEntryEnd(): void;
}

type State = 'header' | 'meta' | 'gnuSparse' | 'sparseMap' | 'data' | 'padding' | 'ended';

/**
 * A streaming reader of tar archives that is pushed: v7, ustar, PAX and GNU tar with long names, base-256 numbers and
 * all four sparse formats. Where engines could read one archive in two ways it is strict: everything that breaks the
 * format throws BAD_ARCHIVE with the entry and the offset. Bytes behind the end mark are ignored.
 *
 * File data is handed on in slices of the pushed chunk, never copied.
 */
export class TarParser {
  readonly #sink: TarSink;
  readonly #builder = new EntryBuilder();
  readonly #block = Buffer.allocUnsafe(BLOCK_SIZE);
  #blockFill = 0;
  /** A whole block that is to be looked at next. */
  #ready: Buffer | undefined;
  #state: State = 'header';
  #offset = 0;
  #entryOffset = 0;
  #zeroBlocks = 0;
  #header: RawHeader | undefined;
  #entry: TarEntry | undefined;
  #segments: SparseSegment[] = [];
  #sparseText: SparseMapText | undefined;
  #meta: Buffer | undefined;
  #metaFill = 0;
  /** Stored bytes of the entry that are still to come, then those of its padding. */
  #remaining = 0;
  #padding = 0;
  #segmentIndex = 0;
  #position = 0;

  constructor(sink: TarSink) {
    this.#sink = sink;
  }

  /** Bytes taken so far. */
  get offset(): number {
    return this.#offset;
  }

  /** Takes the next bytes of the archive. */
  push(input: Uint8Array): void {
    const chunk = Buffer.isBuffer(input) ? input : Buffer.from(input.buffer, input.byteOffset, input.byteLength);
    let at = 0;
    while (at < chunk.length) {
      const before = at;
      switch (this.#state) {
        case 'data':
          at += this.#takeData(chunk, at);
          break;
        case 'padding':
          at += this.#skip(chunk.length - at);
          break;
        case 'meta':
          at += this.#takeMeta(chunk, at);
          break;
        case 'ended':
          at = chunk.length;
          break;
        default:
          at += this.#takeBlock(chunk, at);
      }
      this.#offset += at - before;
      const block = this.#ready;
      if (block !== undefined) {
        this.#ready = undefined;
        this.#onBlock(block);
      }
    }
  }

  /** Says that the archive ends here; throws when it is in the middle of something. */
  end(): void {
    const atBoundary = this.#state === 'header' && this.#blockFill === 0 && !this.#builder.pending;
    const onlyPaddingMissing = this.#state === 'padding' && this.#remaining === this.#padding;
    if (this.#state !== 'ended' && !atBoundary && !onlyPaddingMissing) throw this.#bad('is truncated');
  }

  #takeBlock(chunk: Buffer, at: number): number {
    if (this.#blockFill === 0 && chunk.length - at >= BLOCK_SIZE) {
      this.#ready = chunk.subarray(at, at + BLOCK_SIZE);
      return BLOCK_SIZE;
    }
    const count = Math.min(BLOCK_SIZE - this.#blockFill, chunk.length - at);
    chunk.copy(this.#block, this.#blockFill, at, at + count);
    this.#blockFill += count;
    if (this.#blockFill === BLOCK_SIZE) {
      this.#blockFill = 0;
      this.#ready = this.#block;
    }
    return count;
  }

  #onBlock(block: Buffer): void {
    if (this.#state === 'gnuSparse') this.#onGnuSparseBlock(block);
    else if (this.#state === 'sparseMap') this.#onSparseMapBlock(block);
    else this.#onHeader(block);
  }

  #onHeader(block: Buffer): void {
    this.#entryOffset = this.#offset - BLOCK_SIZE;
    this.#header = undefined;
    if (block[0] === 0 && isZeroBlock(block)) {
      if (this.#builder.pending) throw this.#bad('ends after an extended header');
      if (++this.#zeroBlocks === 2) this.#state = 'ended';
      return;
    }
    if (this.#zeroBlocks > 0) throw this.#bad('goes on after a lone zero block');
    const header = decodeHeader(block);
    if (typeof header === 'string') throw this.#bad(header);
    this.#header = header;
    switch (header.typeFlag) {
      case 'x':
      case 'X':
      case 'g':
        this.#startMeta(header.size, MAX_PAX_BYTES);
        break;
      case 'L':
      case 'K':
        this.#startMeta(header.size, MAX_NAME_BYTES + 1);
        break;
      case 'V':
        // A volume label: nothing to unpack.
        this.#builder.discard();
        this.#startPadding(header.size + paddingOf(header.size), paddingOf(header.size));
        break;
      case 'S':
        this.#startGnuSparse(block);
        break;
      default:
        this.#startEntry(header);
        break;
    }
  }

  #startMeta(size: number, limit: number): void {
    // The size of a PAX header never applies to another extended header: engines that do so read other entries than we.
    if (size > limit) throw this.#bad(`has an extended header of ${size} bytes; the limit is ${limit}`);
    this.#meta = Buffer.allocUnsafe(size);
    this.#metaFill = 0;
    this.#state = 'meta';
    if (size === 0) this.#endMeta();
  }

  #takeMeta(chunk: Buffer, at: number): number {
    const meta = this.#meta as Buffer;
    const count = Math.min(meta.length - this.#metaFill, chunk.length - at);
    chunk.copy(meta, this.#metaFill, at, at + count);
    this.#metaFill += count;
    if (this.#metaFill === meta.length) this.#endMeta();
    return count;
  }

  #endMeta(): void {
    const meta = this.#meta as Buffer;
    const typeFlag = this.#header?.typeFlag as string;
    this.#meta = undefined;
    let problem: string | undefined;
    if (typeFlag === 'L' || typeFlag === 'K') problem = this.#builder.takeLongName(typeFlag, meta);
    else {
      const records = parsePax(meta);
      problem = typeof records === 'string' ? records : this.#builder.takePax(records, typeFlag === 'g');
    }
    if (problem !== undefined) throw this.#bad(problem);
    const padding = paddingOf(meta.length);
    this.#startPadding(padding, padding);
  }

  #startGnuSparse(block: Buffer): void {
    const segments = segmentsOfBlock(block, 386, 4);
    if (segments === undefined) throw this.#bad('has a broken sparse map');
    this.#segments = segments;
    if (!this.#builder.takeGnuRealSize(block)) throw this.#bad('has a size that is negative or no number');
    if (block[482] !== 0) this.#state = 'gnuSparse';
    else this.#startEntry(this.#header as RawHeader);
  }

  #onGnuSparseBlock(block: Buffer): void {
    const segments = segmentsOfBlock(block, 0, 21);
    if (segments === undefined) throw this.#bad('has a broken sparse map');
    for (const segment of segments) this.#segments.push(segment);
    if (this.#segments.length > MAX_SPARSE_SEGMENTS) throw this.#bad('has a sparse map that is too large');
    if (block[504] === 0) this.#startEntry(this.#header as RawHeader);
  }

  #startEntry(header: RawHeader): void {
    const built = this.#builder.build(header);
    if (typeof built === 'string') throw this.#bad(built);
    this.#remaining = built.storedBytes;
    this.#padding = paddingOf(built.storedBytes);
    this.#entry = built.entry;
    if (built.sparse === 'data') {
      this.#sparseText = new SparseMapText();
      this.#state = 'sparseMap';
      if (this.#remaining < BLOCK_SIZE) throw this.#bad('has a broken sparse map');
    } else this.#emit(built.entry, built.sparse === 'none' ? undefined : (built.segments ?? this.#segments));
  }

  #onSparseMapBlock(block: Buffer): void {
    this.#remaining -= BLOCK_SIZE;
    const result = (this.#sparseText as SparseMapText).push(block);
    if (typeof result === 'string') throw this.#bad(result);
    if (result !== undefined) this.#emit(this.#entry as TarEntry, result);
    else if (this.#remaining < BLOCK_SIZE) throw this.#bad('has a broken sparse map');
  }

  #emit(entry: TarEntry, segments: SparseSegment[] | undefined): void {
    let result = entry;
    if (segments !== undefined) {
      // GNU tar ends a map with an empty segment at the end of the file.
      const filled = segments.filter((segment) => segment.length > 0);
      const problem = checkSegments(filled, entry.size, this.#remaining);
      if (problem !== undefined) throw this.#bad(problem);
      result = { ...entry, sparse: filled };
    }
    this.#entry = result;
    this.#segments = [];
    this.#sparseText = undefined;
    this.#segmentIndex = 0;
    this.#position = result.sparse?.[0]?.offset ?? 0;
    this.#state = 'data';
    this.#sink.onEntry(result);
    if (this.#remaining === 0) this.#endData();
  }

  #takeData(chunk: Buffer, at: number): number {
    let count = Math.min(this.#remaining, chunk.length - at);
    const sparse = this.#entry?.sparse;
    if (sparse !== undefined) {
      const segment = sparse[this.#segmentIndex] as SparseSegment;
      count = Math.min(count, segment.offset + segment.length - this.#position);
    }
    this.#sink.onData(count === chunk.length ? chunk : chunk.subarray(at, at + count), this.#position);
    this.#position += count;
    this.#remaining -= count;
    if (sparse !== undefined) {
      const segment = sparse[this.#segmentIndex] as SparseSegment;
      if (this.#position === segment.offset + segment.length) {
        this.#position = sparse[++this.#segmentIndex]?.offset ?? this.#position;
      }
    }
    if (this.#remaining === 0) this.#endData();
    return count;
  }

  #endData(): void {
    this.#startPadding(this.#padding, this.#padding);
    this.#sink.onEntryEnd();
    this.#entry = undefined;
  }

  /** Goes over `count` bytes of which the last `padding` ones may be missing at the end of the archive. */
  #startPadding(count: number, padding: number): void {
    this.#remaining = count;
    this.#padding = padding;
    this.#state = count === 0 ? 'header' : 'padding';
  }

  #skip(available: number): number {
    const count = Math.min(this.#remaining, available);
    this.#remaining -= count;
    if (this.#remaining === 0) this.#state = 'header';
    return count;
  }

  #bad(problem: string): Error {
    const path = this.#entry?.path ?? this.#header?.path;
    return badArchive(problem, { offset: this.#entryOffset, ...(path === undefined ? {} : { path }) });
  }
}
