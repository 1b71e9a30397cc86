import type { FileHandle } from 'node:fs/promises';
import { type CriRecord, type LogStream, parseCriRecord } from './cri-record.js';

const BLOCK_BYTES = 64 << 10;
/** How far behind the first wanted line its earlier pieces are looked for. */
const PIECES_BYTES = 1 << 20;
/** A record longer than this is none of ours: the search goes on behind it. */
const MAX_RECORD_BYTES = 4 << 20;

export interface TailStart {
  /** Where reading starts. */
  readonly offset: number;
  /** Lines that end before this are not wanted. */
  readonly firstEnd: number;
}

/**
 * Finds the last `lines` lines that `wanted` accepts, reading blocks from the end of the file: what it costs depends on
 * the size of the tail, not of the log.
 */
export async function findTailStart(
  file: FileHandle,
  size: number,
  lines: number,
  wanted: (entry: CriRecord) => boolean,
): Promise<TailStart> {
  if (lines <= 0) return { offset: size, firstEnd: size };
  let count = 0;
  let firstEnd = size;
  let offset = size;
  /** Streams of which we have seen a later record, and whether their earliest wanted line may have earlier pieces. */
  const incomplete = new Map<LogStream, boolean>();

  for await (const { line, start } of recordsBackwards(file, size)) {
    const entry = parseCriRecord(line);
    if (count === lines && firstEnd - start > PIECES_BYTES) break;
    if (entry === undefined) continue;
    const endsLine = !entry.partial || !incomplete.has(entry.stream);
    if (count === lines) {
      if (!endsLine && incomplete.get(entry.stream)) offset = start;
      else incomplete.set(entry.stream, false);
      if (![...incomplete.values()].some(Boolean)) break;
      continue;
    }
    if (endsLine) {
      const counts = wanted(entry);
      incomplete.set(entry.stream, counts);
      if (counts) {
        count++;
        firstEnd = start;
      }
    }
    offset = start;
  }
  return count < lines ? { offset: 0, firstEnd: 0 } : { offset, firstEnd };
}

async function* recordsBackwards(file: FileHandle, size: number): AsyncIterable<{ line: Buffer; start: number }> {
  const block = Buffer.alloc(BLOCK_BYTES);
  let rest: Buffer = Buffer.alloc(0);
  let restStart = size;
  let atEnd = true;
  while (restStart > 0) {
    const length = Math.min(BLOCK_BYTES, restStart);
    const { bytesRead } = await file.read(block, 0, length, restStart - length);
    if (bytesRead < length) return;
    restStart -= length;
    const text: Buffer = Buffer.concat([block.subarray(0, length), rest]);
    let end = text.length;
    if (atEnd) {
      // What follows the last newline is still being written.
      end = text.lastIndexOf(0x0a);
      if (end < 0) {
        if (text.length > MAX_RECORD_BYTES) return;
        rest = text;
        continue;
      }
      atEnd = false;
    }
    for (;;) {
      const newline = end === 0 ? -1 : text.lastIndexOf(0x0a, end - 1);
      if (newline < 0) break;
      yield { line: text.subarray(newline + 1, end), start: restStart + newline + 1 };
      end = newline;
    }
    rest = text.subarray(0, end);
    if (rest.length > MAX_RECORD_BYTES) return;
  }
  if (!atEnd) yield { line: rest, start: 0 };
}
