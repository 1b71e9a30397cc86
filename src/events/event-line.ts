import { type EngineEvent, EVENT_TYPES, type EventType } from './event.js';

/** What a process reports; the journal adds the position. @public */
export interface EventInput {
  /** What kind of thing it happened to. */
  readonly type: EventType;
  /** What happened: `create`, `mount`… */
  readonly action: string;
  /** Id of the object. */
  readonly id: string;
  /** Facts and labels. */
  readonly attributes?: Readonly<Record<string, string>>;
  /** Default: now. */
  readonly time?: Date;
}

/** Ends a segment: what stands behind it in the same file does not count. */
export const SEAL = Buffer.from('\n{"seal":1}\n');
const SEAL_TEXT = '{"seal":1}';

/**
 * One journal line. The line feed in front isolates it from a torn line of a writer that died; `stamp` makes it
 * unlike any other line.
 */
export function encodeEvent(input: EventInput, stamp: string): Buffer {
  const { type, action, id, attributes = {}, time = new Date() } = input;
  const record = { w: stamp, time: time.toISOString(), type, action, id, attributes };
  return Buffer.from(`\n${JSON.stringify(record)}\n`);
}

/** Reads a line; `undefined` for what is torn, damaged or of an unknown form. */
export function decodeEvent(line: string, seq: number): EngineEvent | 'seal' | undefined {
  if (line === SEAL_TEXT) return 'seal';
  let value: Partial<Record<keyof EngineEvent, unknown>> | null;
  try {
    value = JSON.parse(line) as typeof value;
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { type, action, id } = value;
  const time = new Date(typeof value.time === 'string' ? value.time : Number.NaN);
  const attributes = readAttributes(value.attributes);
  if (typeof type !== 'string' || !EVENT_TYPES.has(type) || typeof action !== 'string' || typeof id !== 'string') {
    return undefined;
  }
  if (Number.isNaN(time.getTime()) || attributes === undefined) return undefined;
  return { seq, time, type: type as EventType, action, id, attributes };
}

function readAttributes(value: unknown): Record<string, string> | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const attributes = Object.create(null) as Record<string, string>;
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') return undefined;
    attributes[key] = text;
  }
  return attributes;
}
