import { BLOCK_SIZE, type SparseSegment } from './tar-entry.js';
import { parseTarNumber } from './tar-number.js';

/** More data segments than this are not read: real maps are far smaller. */
export const MAX_SPARSE_SEGMENTS = 1 << 17;

/** Segments out of pairs of decimal numbers (offset, length); undefined when one is not a number. */
export function segmentsOfDecimals(numbers: readonly string[]): SparseSegment[] | undefined {
  const segments: SparseSegment[] = [];
  for (let i = 0; i + 1 < numbers.length; i += 2) {
    const offset = decimal(numbers[i] as string);
    const length = decimal(numbers[i + 1] as string);
    if (offset === undefined || length === undefined) return undefined;
    segments.push({ offset, length });
  }
  return segments;
}

/** A non-negative decimal number that a double holds. */
export function decimal(text: string): number | undefined {
  if (!/^[0-9]{1,16}$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** Reads `count` old GNU segments (12 octal digits each) at `offset`; an empty one ends the list. Undefined when malformed. */
export function segmentsOfBlock(block: Uint8Array, offset: number, count: number): SparseSegment[] | undefined {
  const segments: SparseSegment[] = [];
  for (let i = 0; i < count; i++) {
    const at = offset + i * 24;
    if (block[at] === 0) break;
    const start = parseTarNumber(block, at, 12);
    const length = parseTarNumber(block, at + 12, 12);
    if (!(start >= 0) || !(length >= 0)) return undefined;
    segments.push({ offset: start, length });
  }
  return segments;
}

/** The map at the head of the data of a GNU sparse 1.0 entry: `count\n` and then `offset\nlength\n` each, padded to a block. */
export class SparseMapText {
  readonly #blocks: string[] = [];
  #newlines = 0;
  #count: number | undefined;

  /** Takes one block. Gives the segments once the map is complete, a text when it is broken. */
  push(block: Buffer): SparseSegment[] | string | undefined {
    if (this.bytes >= MAX_SPARSE_SEGMENTS * 24) return 'has a sparse map that is too large';
    this.#blocks.push(block.toString('latin1'));
    for (const byte of block) if (byte === 0x0a) this.#newlines++;
    if (this.#count === undefined) {
      const first = this.#blocks[0] as string;
      this.#count = decimal(first.slice(0, Math.max(0, first.indexOf('\n'))));
      if (this.#count === undefined || this.#count > MAX_SPARSE_SEGMENTS) return 'has a broken sparse map';
    }
    if (this.#newlines < this.#count * 2 + 1) return undefined;
    const numbers = this.#blocks.join('').split('\n', this.#count * 2 + 1);
    return segmentsOfDecimals(numbers.slice(1)) ?? 'has a broken sparse map';
  }

  get bytes(): number {
    return this.#blocks.length * BLOCK_SIZE;
  }
}

/** Checks that segments ascend without overlap inside `realSize` and hold `storedBytes`; the text says what is wrong. */
export function checkSegments(
  segments: readonly SparseSegment[],
  realSize: number,
  storedBytes: number,
): string | undefined {
  let end = 0;
  let total = 0;
  for (const segment of segments) {
    const segmentEnd = segment.offset + segment.length;
    if (segment.offset < end || segmentEnd > realSize || !Number.isSafeInteger(segmentEnd)) {
      return 'has a sparse map whose segments overlap or lie outside the file';
    }
    end = segmentEnd;
    total += segment.length;
  }
  return total === storedBytes ? undefined : 'has a sparse map that does not fit its data';
}
