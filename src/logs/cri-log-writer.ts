import { closeSync, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import type { LogStream } from './cri-record.js';

/** Longer lines become several records, as conmon and the kubelet do it. */
const MAX_RECORD_DATA = 16 << 10;
const NEWLINE = 0x0a;

/** Appends a container's output to a CRI-format log as it comes: one write per chunk. */
export class CriLogWriter {
  readonly #fd: number;
  readonly #maxBytes: number;
  #size: number;
  #torn = false;
  #closed = false;
  #error: unknown;
  #second = '';
  #secondAt = -1;
  #ms = 0;
  #msNs = 0n;

  /** Opens (or makes, 0600) the log. One that would grow beyond `maxBytes` begins anew: the older output is dropped. */
  constructor(path: string, options: { readonly maxBytes?: number } = {}) {
    this.#fd = openSync(path, 'a', 0o600);
    this.#maxBytes = options.maxBytes ?? Number.POSITIVE_INFINITY;
    this.#size = fstatSync(this.#fd).size;
  }

  /** Why output could not be written (a full disk): such output is lost, the container goes on. */
  get error(): unknown {
    return this.#error;
  }

  /** Writes a chunk of one stream. What has no newline at its end is recorded as a partial line at once. */
  append(stream: LogStream, chunk: Uint8Array): void {
    if (this.#closed || chunk.length === 0) return;
    this.#write(formatCriRecords(stream, chunk, this.#timestamp()));
  }

  /** Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#fd);
  }

  #write(records: Buffer): void {
    // A record that was cut by an error is ended first, or the next would be lost with it.
    const bytes = this.#torn ? Buffer.concat([Buffer.of(NEWLINE), records]) : records;
    let at = 0;
    try {
      if (this.#size > 0 && this.#size + bytes.length > this.#maxBytes) {
        ftruncateSync(this.#fd);
        this.#size = 0;
      }
      while (at < bytes.length) at += writeSync(this.#fd, bytes, at);
      this.#torn = false;
    } catch (error) {
      this.#error = error;
      if (at > 0) this.#torn = true;
    }
    this.#size += at;
  }

  /** UTC with nanoseconds; later calls never give an earlier time within a millisecond. */
  #timestamp(): string {
    const now = Date.now();
    const second = Math.floor(now / 1000);
    if (second !== this.#secondAt) {
      this.#secondAt = second;
      this.#second = new Date(second * 1000).toISOString().slice(0, 19);
    }
    const ns = process.hrtime.bigint();
    if (now !== this.#ms) {
      this.#ms = now;
      this.#msNs = ns;
    }
    const within = Math.min(Number(ns - this.#msNs), 999_999);
    return `${this.#second}.${String((now - second * 1000) * 1_000_000 + within).padStart(9, '0')}+00:00`;
  }
}

/** The records of one chunk of output, all with the same time. */
export function formatCriRecords(stream: LogStream, chunk: Uint8Array, time: string): Buffer {
  const source = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  const full = Buffer.from(`${time} ${stream} F `, 'latin1');
  const partial = Buffer.from(`${time} ${stream} P `, 'latin1');
  const pieces: { start: number; end: number; full: boolean }[] = [];
  let size = 0;
  for (let start = 0; start < source.length; ) {
    const newline = source.indexOf(NEWLINE, start);
    const lineEnd = newline < 0 ? source.length : newline;
    const end = Math.min(lineEnd, start + MAX_RECORD_DATA);
    const isFull = end === newline;
    pieces.push({ start, end, full: isFull });
    size += full.length + (end - start) + 1;
    start = isFull ? end + 1 : end;
  }
  const out = Buffer.allocUnsafe(size);
  let at = 0;
  for (const piece of pieces) {
    at += (piece.full ? full : partial).copy(out, at);
    at += source.copy(out, at, piece.start, piece.end);
    out[at++] = NEWLINE;
  }
  return out;
}
