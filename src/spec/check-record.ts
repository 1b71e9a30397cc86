import { engineError, quote } from '../errors/index.js';
import { closestName } from '../util/closest-name.js';
import { type Check, plainObject } from './check.js';

/** Checks of the fields of one options object; every field is optional unless required. */
export type RecordChecks = ReadonlyMap<string, Check>;

export function recordChecks(checks: Readonly<Record<string, Check>>): RecordChecks {
  return new Map(Object.entries(checks));
}

/**
 * Checks an options object field by field and copies what is set. Fields that are `undefined` count as not set. Throws
 * UNKNOWN_OPTION with the nearest known name, BAD_OPTION for a required field that is missing.
 */
export function checkRecord(
  checks: RecordChecks,
  value: unknown,
  at: string,
  required: readonly string[] = [],
): Record<string, unknown> {
  const source = plainObject(at === '' ? 'options' : at, value);
  const prefix = at === '' ? '' : `${at}.`;
  const copy: Record<string, unknown> = {};
  for (const key of Object.keys(source)) {
    const check = checks.get(key);
    if (check === undefined) throw unknownField(prefix, key, checks);
    const entry = source[key];
    if (entry !== undefined) copy[key] = check(prefix + key, entry);
  }
  for (const key of required) {
    if (copy[key] !== undefined) continue;
    throw engineError('BAD_OPTION', `field ${prefix}${key} is missing`, { details: { field: prefix + key } });
  }
  return copy;
}

function unknownField(prefix: string, key: string, checks: RecordChecks) {
  const nearest = closestName(key, checks.keys());
  const hint = nearest === undefined ? '' : ` (did you mean ${nearest}?)`;
  const field = `${prefix}${key.slice(0, 64)}`;
  return engineError(
    'UNKNOWN_OPTION',
    `field ${prefix}${/^\w{1,64}$/.test(key) ? key : quote(key, 64)} does not exist${hint}`,
    {
      details: { field, ...(nearest === undefined ? {} : { nearest }) },
    },
  );
}
