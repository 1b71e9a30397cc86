/** Which of a container's outputs. @public */
export type LogStream = 'stdout' | 'stderr';

/** One piece of a container's output. @public */
export interface LogEntry {
  readonly time: Date;
  /** The time as written, with nanoseconds where the writer had them. */
  readonly timeText: string;
  readonly stream: LogStream;
  /** The bytes without the newline that ended them. */
  readonly data: Buffer;
  /** True when no newline ended the data: a piece of a longer line, or the end of the output. */
  readonly partial: boolean;
}

const SPACE = 0x20;

/**
 * Parses one line of a CRI log (`TIME STREAM P|F DATA`, without its newline); `undefined` for anything else, such as a
 * record that a full disk cut. The data is the container's and is not looked at.
 */
export function parseCriRecord(line: Buffer): LogEntry | undefined {
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
