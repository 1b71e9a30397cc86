import { isAbsolute } from 'node:path';
import { engineError, quote } from '../errors/index.js';
import { assertKnownOptions } from '../util/known-options.js';
import type { CallOptions } from '../util/signals.js';
import type { PluginDirectories } from './locate-plugin.js';
import { DOCKER_DELAYS_MS } from './retry-connect.js';

/** Where plugins are looked for, and how they are called. Everything has Docker's value as default. @public */
export interface LegacyPluginsOptions extends CallOptions {
  /**
   * Directories with unix sockets: `<name>.sock` or `<name>/<name>.sock`.
   * @defaultValue `['/run/docker/plugins']`
   */
  readonly socketDirs?: readonly string[];
  /**
   * Directories with definitions, searched after the sockets: `<name>.spec` (one URL: unix, tcp, http or https) and
   * `<name>.json` (`Addr`, `TLSConfig`), or the same in a directory `<name>`.
   * @defaultValue `['/etc/docker/plugins', '/usr/lib/docker/plugins']`
   */
  readonly specDirs?: readonly string[];
  /**
   * `docker`: https of a `.spec`, and of a `.json` whose `TLSConfig` names no `CAFile`, is not verified. `always`: all
   * https is verified, and a definition that says otherwise is refused.
   * @defaultValue `docker`
   */
  readonly tlsVerification?: 'docker' | 'always';
  /**
   * Users besides root and this one who may own sockets, definitions and their directories.
   * @defaultValue none
   */
  readonly trustedUids?: readonly number[];
  /**
   * How long connections that fail are tried again, milliseconds. Waits are 1, 2, 4, 8… s and none begins that would end
   * after this time. Lists are not retried.
   * @defaultValue 30000, which means 15 s for a plugin that refuses at once
   */
  readonly retryMs?: number;
  /** Waits between these tries, milliseconds; the last one repeats. @defaultValue 1, 2, 4, 8, 16, 30 s */
  readonly retryDelaysMs?: readonly number[];
  /** Limit of one connection attempt, milliseconds. @defaultValue 32000 */
  readonly connectTimeoutMs?: number;
  /** Limit of one handshake, milliseconds. @defaultValue 10000 */
  readonly activationTimeoutMs?: number;
  /** Limit of a call that says none, retries included, milliseconds. @defaultValue 60000 */
  readonly callTimeoutMs?: number;
  /** Longest answer of a call that says none, bytes. @defaultValue 8 MiB */
  readonly maxAnswerBytes?: number;
  /**
   * A lookup repeats the handshake when the last one is older, milliseconds: a restart behind a TCP port shows in nothing
   * else. A new socket or definition file is noticed at once.
   * @defaultValue 5000
   */
  readonly recheckMs?: number;
}

/** Options with their defaults filled in. */
export type LegacySettings = PluginDirectories & Required<Omit<LegacyPluginsOptions, 'signal'>>;

const DEFAULTS: LegacySettings = {
  socketDirs: ['/run/docker/plugins'],
  specDirs: ['/etc/docker/plugins', '/usr/lib/docker/plugins'],
  tlsVerification: 'docker',
  trustedUids: [],
  retryMs: 30_000,
  retryDelaysMs: DOCKER_DELAYS_MS,
  connectTimeoutMs: 32_000,
  activationTimeoutMs: 10_000,
  callTimeoutMs: 60_000,
  maxAnswerBytes: 8 * 1024 * 1024,
  recheckMs: 5_000,
};

/** What a timer takes; a longer one would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Throws UNKNOWN_OPTION, BAD_OPTION. */
export function resolveLegacyOptions(options: LegacyPluginsOptions): LegacySettings {
  assertKnownOptions(options, {
    signal: true,
    socketDirs: true,
    specDirs: true,
    tlsVerification: true,
    trustedUids: true,
    retryMs: true,
    retryDelaysMs: true,
    connectTimeoutMs: true,
    activationTimeoutMs: true,
    callTimeoutMs: true,
    maxAnswerBytes: true,
    recheckMs: true,
  });
  const settings = { ...DEFAULTS };
  for (const [key, value] of Object.entries(options)) {
    if (key !== 'signal' && value !== undefined) Object.assign(settings, { [key]: value });
  }
  for (const field of ['socketDirs', 'specDirs'] as const) {
    assertList(field, settings[field], (dir) => typeof dir === 'string' && isAbsolute(dir) && !dir.includes('\0'));
  }
  assertList('trustedUids', settings.trustedUids, (uid) => Number.isSafeInteger(uid) && (uid as number) >= 0);
  assertList('retryDelaysMs', settings.retryDelaysMs, isDuration);
  for (const field of ['connectTimeoutMs', 'activationTimeoutMs', 'callTimeoutMs'] as const) {
    assertDuration(field, settings[field], 1);
  }
  for (const field of ['retryMs', 'recheckMs'] as const) assertDuration(field, settings[field], 0);
  assertAnswerBytes(settings.maxAnswerBytes);
  if (settings.tlsVerification !== 'docker' && settings.tlsVerification !== 'always') {
    throw bad('tlsVerification', settings.tlsVerification, 'is not docker or always');
  }
  return settings;
}

export function assertDuration(field: string, value: unknown, least: 0 | 1): void {
  if (!isDuration(value) || (value as number) < least) {
    throw bad(field, value, `is not a number of milliseconds from ${least} to ${MAX_TIMER_MS}`);
  }
}

export function assertAnswerBytes(value: unknown): void {
  // More does not fit into a string.
  if (!Number.isSafeInteger(value) || (value as number) < 1 || (value as number) > 2 ** 28) {
    throw bad('maxAnswerBytes', value, 'is not a number of bytes from 1 to 256 MiB');
  }
}

function isDuration(value: unknown): boolean {
  return typeof value === 'number' && value >= 0 && value <= MAX_TIMER_MS;
}

function assertList(field: string, value: unknown, isItem: (item: unknown) => boolean): void {
  if (!Array.isArray(value)) throw bad(field, value, 'is not a list');
  const wrong = value.find((item) => !isItem(item));
  if (wrong !== undefined || value.includes(undefined)) throw bad(field, wrong, 'has an item that is not valid');
}

function bad(field: string, value: unknown, problem: string): Error {
  return engineError('BAD_OPTION', `field ${field} ${quote(value)} ${problem}`, {
    details: { field, value: quote(value) },
  });
}
