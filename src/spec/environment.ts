import { badField } from './fail.js';

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** MAX_ARG_STRLEN: the longest string that execve takes. */
export const MAX_ARGUMENT_BYTES = 131_071;

export interface EnvironmentInput {
  /** Entries of the image, which may be anything. */
  readonly image: readonly string[] | undefined;
  readonly options: Readonly<Record<string, string>> | readonly string[] | undefined;
  readonly hostname: string | undefined;
  readonly home: string;
  readonly tty: boolean;
}

/**
 * The environment: defaults, over them the image's, over them the caller's, each name once and in that order. Malformed
 * image entries are dropped (a bare NAME must never be filled from the host, CVE-2026-57231); the caller's throw BAD_ENV.
 */
export function buildEnvironment({ image, options, hostname, home, tty }: EnvironmentInput): string[] {
  const env = new Map<string, string>([['PATH', DEFAULT_PATH]]);
  if (hostname !== undefined) env.set('HOSTNAME', hostname);
  if (tty) env.set('TERM', 'xterm');
  env.set('HOME', home);
  for (const entry of image ?? []) {
    const split = entry.indexOf('=');
    if (split > 0 && !entry.includes('\0')) env.set(entry.slice(0, split), entry.slice(split + 1));
  }
  for (const [name, value] of envEntries('env', options)) env.set(name, value);
  return Array.from(env, ([name, value]) => `${name}=${value}`);
}

/** The caller's environment as pairs, checked. Throws BAD_ENV. */
export function envEntries(field: string, env: unknown): [name: string, value: string][] {
  if (env === undefined) return [];
  if (Array.isArray(env)) return env.map((entry, i) => splitEntry(`${field}[${i}]`, entry));
  if (typeof env !== 'object' || env === null) {
    throw badField('BAD_ENV', field, env, 'is neither a map nor a list of NAME=value');
  }
  return Object.entries(env).map(([name, value]) => checkPair(`${field}[${JSON.stringify(name)}]`, name, value));
}

function splitEntry(field: string, entry: unknown): [string, string] {
  if (typeof entry !== 'string') throw badField('BAD_ENV', field, entry, 'is not a string');
  const split = entry.indexOf('=');
  if (split < 0) throw badField('BAD_ENV', field, entry, 'has no "="');
  return checkPair(field, entry.slice(0, split), entry.slice(split + 1));
}

function checkPair(field: string, name: string, value: unknown): [string, string] {
  // Values may be secrets: errors show the name alone.
  if (name === '') throw badField('BAD_ENV', field, name, 'has no name');
  if (/[=\u0000-\u001f\u007f]/.test(name)) throw badField('BAD_ENV', field, name, 'has "=" or a control character');
  if (typeof value !== 'string') throw badField('BAD_ENV', field, name, `has a value of type ${typeof value}`);
  if (value.includes('\0')) throw badField('BAD_ENV', field, name, 'has a value with a NUL byte');
  if (name.length + value.length + 1 > MAX_ARGUMENT_BYTES) {
    throw badField('BAD_ENV', field, name, `is longer than ${MAX_ARGUMENT_BYTES} bytes`);
  }
  return [name, value];
}
