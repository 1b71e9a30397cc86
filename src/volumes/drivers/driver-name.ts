import { engineError, quote } from '../../errors/index.js';

/** The name that the built-in driver has, unless the host registered one of that name. */
export const LOCAL_DRIVER = 'local';

const PART = '[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}';
const DRIVER_NAME = new RegExp(`^${PART}(:[0-9]{1,5}(?=/))?(/${PART})*(:[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127})?$`);
const MAX_LENGTH = 255;

/** Throws BAD_DRIVER_NAME for what can be no driver's name: the name may become a path where plugins are looked for. */
export function assertDriverName(field: string, name: unknown): asserts name is string {
  if (typeof name === 'string' && name.length <= MAX_LENGTH && DRIVER_NAME.test(name)) return;
  throw engineError('BAD_DRIVER_NAME', `${field} ${quote(name)} is no name of a driver`, {
    details: { field, value: quote(name) },
  });
}

/**
 * One text for all spellings of a driver's name: `x` and `x:latest` are one driver, and so are `org/x` and
 * `docker.io/org/x`. Compare and key by this, never by what a caller wrote.
 */
export function driverKey(name: string): string {
  const local = name.replace(/^(?:index\.)?docker\.io\/(?:library\/)?(?=.)/, '');
  return local.endsWith(':latest') ? local.slice(0, -':latest'.length) : local;
}

/** True when two names mean one driver. */
export function sameDriver(a: string, b: string): boolean {
  return driverKey(a) === driverKey(b);
}
