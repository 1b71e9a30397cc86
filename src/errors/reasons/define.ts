import type { ErrorCode } from '../codes.js';

/** One row of the list of reasons: what the caller can do (code) and how (remedy, a sentence without a full stop). */
export interface ReasonEntry {
  readonly code: ErrorCode;
  readonly remedy: string;
}

/** Keeps the keys of a table literal while checking its rows. */
export function defineReasons<const T extends Record<string, ReasonEntry>>(table: T): T {
  return table;
}
