import { statSync } from 'node:fs';
import type { EngineEvent } from './event.js';
import { SegmentReader } from './segment-reader.js';
import { CLOSING, listSegments, segmentPath } from './segments.js';

/** A place in the journal that moves over the segments; gives every event behind it once, as far as they are written. */
export class JournalCursor {
  readonly #dir: string;
  /** Events up to this position are not wanted. */
  #after = -1;
  #segment: SegmentReader | undefined;
  /** Where the next segment to open starts, and how far into it reading begins. */
  #target = { base: 0, offset: 0 };
  #first: EngineEvent[] | undefined;
  /** Where the journal ended when this cursor was made. */
  readonly end: number;

  /** `since`: behind that position, from that time on, from `now` on, or all that is kept. */
  constructor(dir: string, since: number | Date | 'now' | 'oldest') {
    this.#dir = dir;
    const bases = listSegments(dir);
    const oldest = bases[0] ?? 0;
    const newest = bases.at(-1) ?? 0;
    this.end = newest + (look(dir, newest)?.size ?? 0);
    if (since === 'oldest') this.#target = { base: oldest, offset: 0 };
    else if (since === 'now') this.#startNow(newest);
    else if (since instanceof Date) this.#startAt(since, bases);
    else if (since < oldest || since > this.end) this.#first = this.#jump(since, oldest);
    else {
      const base = bases.findLast((candidate) => candidate <= since) ?? 0;
      this.#after = since;
      this.#target = { base, offset: since - base };
    }
  }

  /** Position up to which lines were read. */
  get position(): number {
    return this.#segment?.position ?? this.#target.base + this.#target.offset;
  }

  /** The events of the next chunk (perhaps none of it); `undefined` when nothing more is written now. */
  read(): EngineEvent[] | undefined {
    const first = this.#first;
    this.#first = undefined;
    if (first !== undefined) return first;
    for (;;) {
      this.#segment ??= SegmentReader.open(this.#dir, this.#target.base, this.#target.offset);
      if (this.#segment === undefined) return this.#missing();
      const events = this.#segment.readChunk(this.#after);
      if (events !== undefined) return events;
      if (this.#segment.next === undefined) {
        const newest = listSegments(this.#dir).at(-1);
        if (newest === undefined || newest === this.#segment.base) return undefined;
        // Another one is current, so this one's seal was written before: it is there now, or will never be.
        const last = this.#segment.readChunk(this.#after);
        if (last !== undefined) return last;
        return this.#jumpBehind(this.#segment.base, this.#segment.position);
      }
      this.#moveTo(this.#segment.next);
    }
  }

  close(): void {
    this.#segment?.close();
    this.#segment = undefined;
  }

  // A sealed segment is read from its start: its seal says where the next one begins.
  #startNow(newest: number): void {
    this.#after = this.end;
    const closing = ((look(this.#dir, newest)?.mode ?? 0) & CLOSING) !== 0;
    this.#target = { base: newest, offset: closing ? 0 : this.end - newest };
  }

  // What a segment holds is not younger than its last write. Older events may have been in removed segments.
  #startAt(since: Date, bases: readonly number[]): void {
    const oldest = bases[0] ?? 0;
    const base = bases.find((candidate) => (look(this.#dir, candidate)?.mtimeMs ?? 0) >= since.getTime());
    this.#target = { base: base ?? bases.at(-1) ?? 0, offset: 0 };
    if (oldest === 0 || base !== oldest) return;
    const segment = SegmentReader.open(this.#dir, oldest, 0);
    const first = segment?.readChunk(-1)?.[0];
    segment?.close();
    if (first === undefined || first.time > since) this.#first = [overflow(0, oldest)];
  }

  #missing(): EngineEvent[] | undefined {
    const { base } = this.#target;
    const newest = listSegments(this.#dir).at(-1);
    if (newest === undefined) return undefined;
    if (newest < base) {
      // Sealed, but nobody wrote since; unless the journal was made anew and is shorter.
      if (newest + (look(this.#dir, newest)?.size ?? 0) >= base) return undefined;
      return this.#jumpBehind(base, base);
    }
    // It may have been made after the look for it, and before the newer one that is there now.
    this.#segment = SegmentReader.open(this.#dir, base, this.#target.offset);
    return this.#segment === undefined ? this.#jumpBehind(base, base) : [];
  }

  #jumpBehind(base: number, from: number): EngineEvent[] | undefined {
    const bases = listSegments(this.#dir);
    const to = bases.find((candidate) => candidate > base) ?? bases[0];
    return to === undefined ? undefined : this.#jump(from, to);
  }

  #jump(from: number, to: number): EngineEvent[] {
    if (to < from) this.#after = -1;
    this.#moveTo(to);
    return [overflow(from, to)];
  }

  #moveTo(base: number): void {
    this.close();
    this.#target = { base, offset: 0 };
  }
}

function look(dir: string, base: number) {
  return statSync(segmentPath(dir, base), { throwIfNoEntry: false });
}

function overflow(from: number, to: number): EngineEvent {
  const attributes = Object.assign(Object.create(null) as Record<string, string>, { from: `${from}`, to: `${to}` });
  return { seq: to, time: new Date(), type: 'engine', action: 'overflow', id: '', attributes };
}
