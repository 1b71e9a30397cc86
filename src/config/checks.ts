import { normalize } from 'node:path';
import { engineError, quote } from '../errors/index.js';

/** Checks one value of a named option and gives it back typed; throws BAD_OPTION that names field, value and rule. */
export type Check<T> = (field: string, value: unknown) => T;

export function badOption(field: string, value: unknown, rule: string): Error {
  return engineError('BAD_OPTION', `option ${field} ${quote(value)} ${rule}`, {
    details: { field, value: quote(value) },
  });
}

export function integer(min: number, max: number): Check<number> {
  return (field, value) => {
    if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
      throw badOption(field, value, `is not a whole number from ${min} to ${max}`);
    }
    return value;
  };
}

export function oneOf<const T extends string>(...words: readonly T[]): Check<T> {
  return (field, value) => {
    if (!words.includes(value as T)) throw badOption(field, value, `is not one of ${words.join(', ')}`);
    return value as T;
  };
}

export function text(field: string, value: unknown): string {
  if (typeof value !== 'string' || value === '') throw badOption(field, value, 'is not a string with text in it');
  if (value.includes('\0')) throw badOption(field, value, 'has a NUL byte');
  return value;
}

/** An absolute path in normal form, without a slash at its end. A path may hold any other byte, line feeds too. */
export function absolutePath(field: string, value: unknown): string {
  const path = text(field, value);
  if (!path.startsWith('/')) throw badOption(field, value, 'is not an absolute path');
  if (path.split('/').includes('..')) throw badOption(field, value, 'has a ".." in it');
  const clean = normalize(path);
  return clean.length > 1 && clean.endsWith('/') ? clean.slice(0, -1) : clean;
}

export function record(field: string, value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw badOption(field, value, 'is not an object');
  }
  return value as Record<string, unknown>;
}

export function list(field: string, value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw badOption(field, value, 'is not an array');
  return value;
}

/** Own entries of an object of foreign keys as an object without prototype: `__proto__` is a key like any other. */
export function mapRecord<T>(field: string, value: unknown, check: Check<T>): Record<string, T> {
  const result = emptyRecord<T>();
  for (const [key, item] of Object.entries(record(field, value))) result[key] = check(`${field}[${quote(key)}]`, item);
  return result;
}

export function emptyRecord<T>(): Record<string, T> {
  return Object.create(null) as Record<string, T>;
}

/** Throws UNKNOWN_OPTION when the object has a key that is not listed. */
export function onlyKeys(field: string, value: Record<string, unknown>, known: readonly string[]): void {
  const unknown = Object.keys(value).filter((key) => !known.includes(key));
  if (unknown.length === 0) return;
  throw engineError('UNKNOWN_OPTION', `${field} has no ${unknown.map((key) => quote(key)).join(', ')}`, {
    details: { field, unknown, known },
  });
}

export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const item of Object.values(value)) deepFreeze(item);
  }
  return value;
}
