import { constants } from 'node:os';
import { badField } from './fail.js';

const REAL_TIME = /^SIGRT(MIN|MAX)([+-]\d{1,2})?$/;

/** A signal as `SIGTERM`, `term` or `15`, in the form `SIGTERM` or `15`. Throws BAD_SIGNAL. */
export function checkSignal(field: string, value: unknown): string {
  if (typeof value === 'string' && value.length <= 16) {
    if (/^\d{1,2}$/.test(value) && Number(value) >= 1 && Number(value) <= 64) return String(Number(value));
    const upper = value.toUpperCase();
    const name = upper.startsWith('SIG') ? upper : `SIG${upper}`;
    if (Object.hasOwn(constants.signals, name) || REAL_TIME.test(name)) return name;
  }
  throw badField('BAD_SIGNAL', field, value, 'is not a signal');
}
