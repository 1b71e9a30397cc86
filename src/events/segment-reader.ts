import { closeSync, openSync, readSync } from 'node:fs';
import { errnoOf } from '../os/syscalls/index.js';
import type { EngineEvent } from './event.js';
import { decodeEvent } from './event-line.js';
import { segmentPath } from './segments.js';

const CHUNK_BYTES = 64 * 1024;
const MAX_LINE_BYTES = 4 * 1024 * 1024;
const NEWLINE = 10;

/** Reads the lines of one segment from an offset on, as far as they are written; may be asked again later. */
export class SegmentReader {
  readonly base: number;
  readonly #fd: number;
  /** Offset of the first byte of `#carry`, the line that is not complete yet. */
  #lineStart: number;
  #carry: Buffer = Buffer.alloc(0);
  #next: number | undefined;

  private constructor(fd: number, base: number, offset: number) {
    this.#fd = fd;
    this.base = base;
    this.#lineStart = offset;
  }

  /** `undefined` when there is no such segment. */
  static open(dir: string, base: number, offset: number): SegmentReader | undefined {
    try {
      return new SegmentReader(openSync(segmentPath(dir, base), 'r'), base, offset);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Position where the next segment starts, once the seal of this one was read. */
  get next(): number | undefined {
    return this.#next;
  }

  /** Position of the first byte that is not yet part of a complete line. */
  get position(): number {
    return this.base + this.#lineStart;
  }

  /** Takes one chunk and gives the events in it behind position `after`; `undefined` when there was nothing to read. */
  readChunk(after: number): EngineEvent[] | undefined {
    if (this.#next !== undefined) return undefined;
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
    const count = readSync(this.#fd, chunk, 0, CHUNK_BYTES, this.#lineStart + this.#carry.length);
    if (count === 0) return undefined;
    return this.#takeLines(Buffer.concat([this.#carry, chunk.subarray(0, count)]), after);
  }

  close(): void {
    closeSync(this.#fd);
  }

  #takeLines(data: Buffer, after: number): EngineEvent[] {
    const events: EngineEvent[] = [];
    let start = 0;
    for (let end = data.indexOf(NEWLINE); end >= 0; end = data.indexOf(NEWLINE, start)) {
      const seq = this.base + this.#lineStart + start;
      const found = end > start ? decodeEvent(data.toString('utf8', start, end), seq) : undefined;
      start = end + 1;
      if (found === 'seal') {
        this.#next = this.base + this.#lineStart + start;
        return events;
      }
      if (found !== undefined && seq > after) events.push(found);
    }
    // A line that long is no event: what follows of it is dropped as damaged too.
    if (data.length - start > MAX_LINE_BYTES) start = data.length;
    this.#lineStart += start;
    this.#carry = data.subarray(start);
    return events;
  }
}
