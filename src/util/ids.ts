import { randomBytes } from 'node:crypto';
import { engineError, quote } from '../errors/index.js';

/** Names and ids become paths only when they match this. */
export const SAFE_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/;
const FULL_ID = /^[a-f0-9]{64}$/;

/** A new object id: 64 hex digits, as Docker's. */
export function newId(): string {
  return randomBytes(32).toString('hex');
}

/** A short random token for temp files and sessions: 16 hex digits. */
export function newToken(): string {
  return randomBytes(8).toString('hex');
}

export function isFullId(text: string): boolean {
  return FULL_ID.test(text);
}

export function shortId(id: string): string {
  return id.slice(0, 12);
}

/** Throws BAD_NAME unless `name` may become a path component. */
export function assertSafeName(field: string, name: unknown): asserts name is string {
  if (typeof name !== 'string' || !SAFE_NAME.test(name)) {
    throw engineError('BAD_NAME', `${field} ${quote(name)} is not a valid name`, {
      details: { field, value: quote(name) },
    });
  }
}
