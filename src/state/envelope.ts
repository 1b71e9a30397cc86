import { createHash } from 'node:crypto';
import { engineError } from '../errors/index.js';

/** What stands around a record on disk. */
export interface Envelope {
  /** Version of the record's own format. */
  readonly schema: number;
  /** Counts the writes of this record, from 1. */
  readonly generation: number;
  /** The record as JSON data: checked against its checksum, not yet against a schema. */
  readonly record: unknown;
}

const HEAD = /^\{"schema":(\d{1,9}),"generation":(\d{1,15}),"checksum":"([0-9a-f]{16})","record":/;

/** First 16 hex digits of the sha256 of a record's JSON text. */
function checksum(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/** The file content of a record. `undefined` inside objects is dropped, as JSON does. */
export function encodeEnvelope(schema: number, generation: number, record: unknown): string {
  const text: string | undefined = JSON.stringify(record);
  if (text === undefined) throw engineError('BUG', 'a record must be a JSON value');
  return `{"schema":${schema},"generation":${generation},"checksum":"${checksum(text)}","record":${text}}\n`;
}

/** Reads what `encodeEnvelope` wrote, also after a tool has re-indented it; `undefined` when damaged. */
export function decodeEnvelope(text: string): Envelope | undefined {
  try {
    return decodeExact(text) ?? decodeReformatted(text);
  } catch {
    return undefined;
  }
}

// The checksum of the text as it stands saves serialising the record again: half of the time to read a thousand records.
function decodeExact(text: string): Envelope | undefined {
  const head = HEAD.exec(text);
  if (head === null || !text.endsWith('}\n')) return undefined;
  const body = text.slice(head[0].length, -2);
  if (checksum(body) !== head[3]) return undefined;
  return { schema: Number(head[1]), generation: Number(head[2]), record: JSON.parse(body) as unknown };
}

function decodeReformatted(text: string): Envelope | undefined {
  const value = JSON.parse(text) as Record<string, unknown> | null;
  if (typeof value !== 'object' || value === null) return undefined;
  const { schema, generation, checksum: sum, record } = value;
  if (!Number.isSafeInteger(schema) || !Number.isSafeInteger(generation) || record === undefined) return undefined;
  if (checksum(JSON.stringify(record)) !== sum) return undefined;
  return { schema: schema as number, generation: generation as number, record };
}
