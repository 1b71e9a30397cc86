import type { CriRecord, LogStream } from './cri-record.js';

/** A line that grows beyond this is given out in pieces. */
const MAX_LINE_BYTES = 1 << 20;

interface OpenLine {
  readonly first: CriRecord;
  readonly parts: Buffer[];
  size: number;
}

/** Joins the pieces of lines, each stream for itself. A line has the time of its first piece. */
export class PartialJoiner {
  readonly #open = new Map<LogStream, OpenLine>();

  /** The line that this entry completes, or `undefined` while it goes on. */
  push(entry: CriRecord): CriRecord | undefined {
    const open = this.#open.get(entry.stream);
    if (open === undefined && !entry.partial) return entry;
    const line = open ?? { first: entry, parts: [], size: 0 };
    line.parts.push(entry.data);
    line.size += entry.data.length;
    if (entry.partial && line.size < MAX_LINE_BYTES) {
      this.#open.set(entry.stream, line);
      return undefined;
    }
    this.#open.delete(entry.stream);
    return joined(line, entry.partial);
  }

  /** Lines that no newline ended. */
  flush(): CriRecord[] {
    const lines = [...this.#open.values()].map((line) => joined(line, true));
    this.#open.clear();
    return lines;
  }
}

function joined(line: OpenLine, partial: boolean): CriRecord {
  return { ...line.first, data: Buffer.concat(line.parts), partial };
}
