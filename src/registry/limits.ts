import { engineError, quote } from '../errors/index.js';

/** Limits of a registry client; times in milliseconds, sizes in bytes. @public */
export interface RegistryLimits {
  /** Until a connection is made, TLS and proxy included. @defaultValue 15000 */
  readonly connectTimeoutMs: number;
  /** From the end of a request to the head of its answer. @defaultValue 60000 */
  readonly headersTimeoutMs: number;
  /** The same when an upload is closed: registries hash and copy then. @defaultValue 600000 */
  readonly commitTimeoutMs: number;
  /** Without a byte, in either direction. @defaultValue 60000 */
  readonly idleTimeoutMs: number;
  /** Tries of one request, and of one blob between pieces of progress. @defaultValue 5 */
  readonly attempts: number;
  /** Before the second try; doubled each time, with chance in it. @defaultValue 500 */
  readonly retryDelayMs: number;
  /** The longest of these. @defaultValue 15000 */
  readonly maxRetryDelayMs: number;
  /** A registry that asks for a longer wait (Retry-After) is an error at once. @defaultValue 120000 */
  readonly maxRetryAfterMs: number;
  /** Of a manifest. @defaultValue 4194304 */
  readonly maxManifestBytes: number;
}

const DEFAULTS: RegistryLimits = {
  connectTimeoutMs: 15_000,
  headersTimeoutMs: 60_000,
  commitTimeoutMs: 600_000,
  idleTimeoutMs: 60_000,
  attempts: 5,
  retryDelayMs: 500,
  maxRetryDelayMs: 15_000,
  maxRetryAfterMs: 120_000,
  maxManifestBytes: 4 * 1024 * 1024,
};

/** The limits with defaults. Throws BAD_OPTION for what is no number of 0 or more, UNKNOWN_OPTION. */
export function resolveLimits(given: Partial<RegistryLimits> = {}): RegistryLimits {
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(DEFAULTS, name)) {
      throw engineError('UNKNOWN_OPTION', `field limits.${quote(name, 64)} does not exist`, {
        details: { field: `limits.${name.slice(0, 64)}` },
      });
    }
    const isRight = Number.isSafeInteger(value) && value >= (name === 'attempts' ? 1 : 0) && value <= 0x7fffffff;
    if (value !== undefined && !isRight) {
      throw engineError('BAD_OPTION', `field limits.${name} ${quote(value)} is not a whole number in its range`, {
        details: { field: `limits.${name}`, value: quote(value) },
      });
    }
  }
  const set = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...DEFAULTS, ...Object.fromEntries(set) };
}
