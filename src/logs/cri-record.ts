/** Which of a container's outputs. @public */
export type LogStream = 'stdout' | 'stderr';

/** A line of a container's output. @public */
export interface LogEntry {
  /** When it was written; milliseconds. */
  readonly time: Date;
  /** The time as it stands in the log, with nanoseconds where the writer had them. */
  readonly timeText: string;
  /** Which output it came from; with a tty always `stdout`. */
  readonly stream: LogStream;
  /** The line as UTF-8 text, without the newline that ended it. Bytes that are no UTF-8 become U+FFFD. */
  readonly text: string;
  /** The line's bytes, without the newline that ended them. */
  readonly data: Buffer;
  /** True when no newline ended it: the last of an output that does not end with one, or a piece of an overlong line. */
  readonly partial: boolean;
}

/** What a record of the log says; its text is decoded only when somebody gets it. */
export type CriRecord = Omit<LogEntry, 'text'>;

const SPACE = 0x20;

/**
 * Parses one line of a CRI log (`TIME STREAM P|F DATA`, without its newline); `undefined` for anything else, such as a
 * record that a full disk cut. The data is the container's and is not looked at.
 */
export function parseCriRecord(line: Buffer): CriRecord | undefined {
  const afterTime = line.indexOf(SPACE);
  if (afterTime < 20 || afterTime > 40) return undefined;
  const afterStream = line.indexOf(SPACE, afterTime + 1);
  if (afterStream !== afterTime + 7) return undefined;
  const stream = line.toString('latin1', afterTime + 1, afterStream);
  if (stream !== 'stdout' && stream !== 'stderr') return undefined;
  const found = line.indexOf(SPACE, afterStream + 1);
  const afterTag = found < 0 ? line.length : found;
  // More tags may follow the first after a colon.
  const tag = line[afterStream + 1];
  const next = line[afterStream + 2];
  if ((tag !== 0x50 && tag !== 0x46) || (afterTag !== afterStream + 2 && next !== 0x3a)) return undefined;
  const timeText = line.toString('latin1', 0, afterTime);
  const time = new Date(timeText);
  if (Number.isNaN(time.getTime())) return undefined;
  return { time, timeText, stream, data: line.subarray(Math.min(afterTag + 1, line.length)), partial: tag === 0x50 };
}
