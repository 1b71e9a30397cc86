import type { Reason } from '../errors/index.js';
import { badField } from './fail.js';

/** Checks one field's value and gives the copy to keep. */
export type Check<T = unknown> = (field: string, value: unknown) => T;

export function checkBoolean(field: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw badField('BAD_OPTION', field, value, 'is not true or false');
  return value;
}

/** A whole number within a range. */
export function integer(min: number, max: number, reason: Reason = 'BAD_LIMIT', also?: number): Check<number> {
  return (field, value) => {
    if (
      typeof value === 'number' &&
      Number.isSafeInteger(value) &&
      ((value >= min && value <= max) || value === also)
    ) {
      return value;
    }
    const other = also === undefined ? '' : ` or ${also}`;
    throw badField(reason, field, value, `is not a whole number from ${min} to ${max}${other}`);
  };
}

/** Text without NUL, not empty unless `allowEmpty`, of a pattern where given. */
export function text(
  limits: { max?: number; reason?: Reason; pattern?: RegExp; why?: string; allowEmpty?: boolean } = {},
): Check<string> {
  const { max = 4096, reason = 'BAD_OPTION', pattern, why = 'has the wrong form', allowEmpty = false } = limits;
  return (field, value) => {
    if (typeof value !== 'string') throw badField(reason, field, value, 'is not a string');
    if (value === '' && !allowEmpty) throw badField(reason, field, value, 'is empty');
    if (value.length > max) throw badField(reason, field, value, `is longer than ${max} characters`);
    if (value.includes('\0')) throw badField(reason, field, value, 'has a NUL byte');
    if (pattern !== undefined && !pattern.test(value)) throw badField(reason, field, value, why);
    return value;
  };
}

/** An array whose entries pass `check`. */
export function list<T>(check: Check<T>, max = 10_000): Check<readonly T[]> {
  return (field, value) => {
    if (!Array.isArray(value)) throw badField('BAD_OPTION', field, value, 'is not an array');
    if (value.length > max) throw badField('BAD_OPTION', field, value.length, `has more than ${max} entries`);
    return value.map((entry, i) => check(`${field}[${i}]`, entry));
  };
}

/** A map of foreign keys: a copy without prototype, so that `__proto__` is a key like any other. */
export function map(checkKey: Check<string>, checkValue: Check<string>, max = 10_000): Check<Record<string, string>> {
  return (field, value) => {
    const entries = Object.entries(plainObject(field, value));
    if (entries.length > max) throw badField('BAD_OPTION', field, entries.length, `has more than ${max} entries`);
    const copy: Record<string, string> = Object.create(null);
    for (const [key, entry] of entries) {
      const at = `${field}[${JSON.stringify(key.slice(0, 64))}]`;
      copy[checkKey(at, key)] = checkValue(at, entry);
    }
    return copy;
  };
}

/** One of a few words. */
export function oneOf<T extends string>(words: readonly T[], reason: Reason = 'BAD_OPTION'): Check<T> {
  return (field, value) => {
    if (words.includes(value as T)) return value as T;
    throw badField(reason, field, value, `is not one of ${words.join(', ')}`);
  };
}

/** An object literal (or null-prototype object, or a JSON document's). */
export function plainObject(field: string, value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    const prototype: unknown = Object.getPrototypeOf(value);
    // Another realm's literals have another Object.prototype: that one's own prototype is null too.
    if (prototype === null || Object.getPrototypeOf(prototype) === null) return value as Record<string, unknown>;
  }
  throw badField('BAD_OPTION', field, value, 'is not a plain object');
}
