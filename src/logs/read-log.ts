import type { CallOptions } from '../util/signals.js';
import { throwIfAborted } from '../util/signals.js';
import { type CriRecord, type LogEntry, parseCriRecord } from './cri-record.js';
import { followLines, openIfThere } from './follow-file.js';
import { PartialJoiner } from './partials.js';
import { findTailStart } from './tail-start.js';

export interface ReadLogOptions extends CallOptions {
  /** CRI-format log (conmon's k8s-file, our logger's, {@link CriLogWriter}'s). A missing file is an empty log. */
  readonly path: string;
  /** @defaultValue true */
  readonly stdout?: boolean;
  /** @defaultValue true */
  readonly stderr?: boolean;
  /** Goes on with what is appended, until `ended` or the signal. @defaultValue false */
  readonly follow?: boolean;
  /** Only the last so many lines of what the other options select. */
  readonly tail?: number;
  /** Entries at this time and later. */
  readonly since?: Date;
  /** Entries at this time and earlier; a later one ends the iteration. */
  readonly until?: Date;
  /** Following ends when this settles (or gives true) and all is read. */
  readonly ended?: Promise<void> | (() => boolean);
  /** Gives whole lines where the log has pieces of them. @defaultValue true */
  readonly joinPartials?: boolean;
}

/** Reads a container's log. Lines that are no records are left out. Throws CANCELED when the signal aborts. */
export async function* readLog(options: ReadLogOptions): AsyncIterable<LogEntry> {
  const { path, follow = false, joinPartials = true, signal, since, until } = options;
  throwIfAborted(signal);
  const isSelected = ({ stream, time }: CriRecord) =>
    (options[stream] ?? true) && (since === undefined || time >= since) && (until === undefined || time <= until);

  const file = await openIfThere(path);
  let start = { offset: 0, firstEnd: 0 };
  if (file !== undefined && options.tail !== undefined) {
    try {
      start = await findTailStart(file, (await file.stat()).size, options.tail, isSelected);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  const joiner = new PartialJoiner();
  let inTail = options.tail !== undefined;
  const lines = followLines(path, file, start.offset, {
    follow,
    ended: options.ended,
    ...(signal === undefined ? {} : { signal }),
  });
  for await (const { line, start: at, reset } of lines) {
    if (reset) {
      inTail = false;
      yield* joiner.flush().filter(isSelected).map(withText);
    }
    const entry = parseCriRecord(line);
    if (entry === undefined) continue;
    if (until !== undefined && entry.time > until) break;
    const whole = joinPartials ? joiner.push(entry) : entry;
    if (inTail && at >= (joinPartials ? start.firstEnd : start.offset)) inTail = false;
    if (whole === undefined || inTail || !isSelected(whole)) continue;
    yield withText(whole);
    // More lines may have been read already: an aborted loop gets none of them.
    throwIfAborted(signal);
  }
  yield* joiner.flush().filter(isSelected).map(withText);
}

function withText(record: CriRecord): LogEntry {
  return { ...record, text: record.data.toString('utf8') };
}
