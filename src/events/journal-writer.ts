import { closeSync, constants, fchmodSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { engineError, quote } from '../errors/index.js';
import { errnoOf } from '../os/syscalls/index.js';
import { ensureDirectory, ioError } from '../state/index.js';
import { newToken } from '../util/ids.js';
import { type EventInput, encodeEvent, SEAL } from './event-line.js';
import { CLOSING, listSegments, removeOldSegments, segmentPath } from './segments.js';

interface Segment {
  readonly fd: number;
  readonly base: number;
  /** No seal stands before this offset. */
  unsealedTo: number;
  /** Size at the last look. One look is not atomic: a seal may come between its mode and its size. */
  lastSize: number;
}

export interface JournalWriterOptions {
  readonly dir: string;
  readonly maxSegmentBytes: number;
  readonly keepSegments: number;
}

/**
 * Appends to the current segment with one O_APPEND write; the kernel orders the writers. No lock is taken, not even
 * to rotate: whoever finds the segment full marks it closing (a mode bit), appends a seal line, and the position
 * after the *first* seal is where the next segment starts, so all who rotate at once make the same file. A writer
 * looks at the mode after its write: no mark means that no seal was there before; with a mark it looks where its line
 * stands, and writes it again into the next segment when that is behind the seal.
 */
export class JournalWriter {
  readonly #options: JournalWriterOptions;
  readonly #token = newToken();
  #count = 0;
  #segment: Segment | undefined;

  constructor(options: JournalWriterOptions) {
    this.#options = options;
  }

  append(input: EventInput): void {
    const line = encodeEvent(input, `${this.#token}.${(this.#count++).toString(36)}`);
    try {
      for (;;) {
        const segment = (this.#segment ??= this.#openFirst());
        const counts = this.#writeTo(segment, line);
        if (counts) return;
      }
    } catch (error) {
      throw errnoOf(error) === undefined ? error : ioError('append to event journal', this.#options.dir, error);
    }
  }

  close(): void {
    if (this.#segment !== undefined) closeSync(this.#segment.fd);
    this.#segment = undefined;
  }

  /** True when the line stands where readers see it. */
  #writeTo(segment: Segment, line: Buffer): boolean {
    const written = writeSync(segment.fd, line);
    if (written < line.length) {
      // Only a full disk cuts a write; the torn line is skipped by readers.
      throw engineError(
        'DISK_FULL',
        `event journal ${quote(this.#options.dir)} took ${written} of ${line.length} bytes`,
        {
          details: { path: this.#options.dir },
        },
      );
    }
    const stat = fstatSync(segment.fd);
    if (stat.nlink === 0 && (stat.mode & CLOSING) === 0) {
      // Not rotated away: the directory was removed under us.
      this.close();
      return false;
    }
    if ((stat.mode & CLOSING) === 0) {
      if (stat.size > this.#options.maxSegmentBytes) this.#rotateLater(segment);
      segment.unsealedTo = segment.lastSize;
      segment.lastSize = stat.size;
      return true;
    }
    const { sealEnd, tail, from } = readSeal(segment);
    const counts = sealEnd === undefined || tail.subarray(0, sealEnd - from).includes(line);
    if (counts) this.#rotateLater(segment);
    else this.#rotate(segment);
    return counts;
  }

  #rotateLater(segment: Segment): void {
    try {
      this.#rotate(segment);
    } catch {
      // The event is written. The next append finds the segment closing and tries again.
    }
  }

  /** Seals the segment unless it is, and goes on in the next. Any number of processes may do this at once or die in it. */
  #rotate(segment: Segment): void {
    let { sealEnd } = readSeal(segment);
    if (sealEnd === undefined) {
      fchmodSync(segment.fd, 0o600 | CLOSING);
      writeSync(segment.fd, SEAL);
      ({ sealEnd } = readSeal(segment));
    }
    // A full disk may have cut the seal; the next append tries again.
    if (sealEnd === undefined) return;
    const next = this.#openNewest(segment.base + sealEnd);
    this.close();
    this.#segment = next;
    removeOldSegments(this.#options.dir, this.#options.keepSegments);
  }

  #openFirst(): Segment {
    ensureDirectory(this.#options.dir);
    return this.#openNewest(0);
  }

  /** Opens the newest segment, or makes the one at `base` when none is newer. */
  #openNewest(base: number): Segment {
    const { dir } = this.#options;
    for (;;) {
      const target = Math.max(base, listSegments(dir).at(-1) ?? 0);
      const segment = open(dir, target);
      // A process that was stopped here for long may have made a file anew that was rotated away meanwhile.
      if (listSegments(dir).at(-1) === target) return segment;
      closeSync(segment.fd);
    }
  }
}

function open(dir: string, base: number): Segment {
  const flags = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT;
  const fd = openSync(segmentPath(dir, base), flags, 0o600);
  const lastSize = fstatSync(fd).size;
  const closing = (fstatSync(fd).mode & CLOSING) !== 0;
  return { fd, base, unsealedTo: closing ? 0 : lastSize, lastSize };
}

/** The part of a segment that may hold a seal, and where the first seal ends (offset in the file). */
function readSeal(segment: Segment): { sealEnd: number | undefined; tail: Buffer; from: number } {
  const from = segment.unsealedTo;
  const tail = Buffer.alloc(Math.max(0, fstatSync(segment.fd).size - from));
  let filled = 0;
  while (filled < tail.length) {
    const count = readSync(segment.fd, tail, filled, tail.length - filled, from + filled);
    if (count === 0) break;
    filled += count;
  }
  const found = tail.subarray(0, filled).indexOf(SEAL);
  return { sealEnd: found < 0 ? undefined : from + found + SEAL.length, tail: tail.subarray(0, filled), from };
}
