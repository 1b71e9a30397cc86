import { engineError, quote } from '../../errors/index.js';

/** What a driver is asked; `find` is the search for it among the plugins. @public */
export type DriverMethod =
  | 'create'
  | 'remove'
  | 'mount'
  | 'unmount'
  | 'get'
  | 'list'
  | 'path'
  | 'capabilities'
  | 'find';

/** When a driver that does not answer is left alone for a while. @public */
export interface BreakerOptions {
  /** So many calls in a row that got no answer suspend the driver. @defaultValue 3 */
  readonly failures?: number;
  /** How long the first time, milliseconds; doubled each time that the call tried afterwards fails too. @defaultValue 5000 */
  readonly cooldownMs?: number;
  /** Longest suspension, milliseconds. @defaultValue 60000 */
  readonly maxCooldownMs?: number;
}

/** How long and how often a driver is waited for. @public */
export interface DriverLimits {
  /** Per method, milliseconds. @defaultValue 120000 for create and mount, 60000 for the others */
  readonly deadlinesMs?: Partial<Readonly<Record<DriverMethod, number>>>;
  /** When it is suspended. */
  readonly breaker?: BreakerOptions;
}

/** DriverLimits with nothing left open. */
export interface ResolvedLimits {
  readonly deadlinesMs: Readonly<Record<DriverMethod, number>>;
  readonly breaker: Required<BreakerOptions>;
}

/** What Docker gives each method. */
const DEFAULT_DEADLINES_MS: Readonly<Record<DriverMethod, number>> = {
  create: 120_000,
  mount: 120_000,
  remove: 60_000,
  unmount: 60_000,
  get: 60_000,
  list: 60_000,
  path: 60_000,
  capabilities: 60_000,
  find: 60_000,
};
const DEFAULT_BREAKER: Required<BreakerOptions> = { failures: 3, cooldownMs: 5_000, maxCooldownMs: 60_000 };
/** Longer timers fire at once. */
const MAX_TIMER_MS = 0x7fff_ffff;

/** Limits from the most special to the most general; the first that says something about a field has it. */
export function resolveLimits(...levels: readonly (DriverLimits | undefined)[]): ResolvedLimits {
  const deadlinesMs = { ...DEFAULT_DEADLINES_MS };
  const breaker = { ...DEFAULT_BREAKER };
  for (const level of [...levels].reverse()) {
    assign(deadlinesMs, level?.deadlinesMs, 'deadlinesMs');
    assign(breaker, level?.breaker, 'breaker');
  }
  return { deadlinesMs, breaker };
}

function assign(target: Record<string, number>, given: object | undefined, field: string): void {
  if (given === undefined) return;
  if (typeof given !== 'object' || given === null) refuse(field, given, 'an object');
  for (const [key, value] of Object.entries(given) as [string, unknown][]) {
    if (value === undefined) continue;
    if (!Object.hasOwn(target, key)) {
      throw engineError('UNKNOWN_OPTION', `field ${field}.${quote(key, 64)} does not exist`, { details: { field } });
    }
    if (typeof value !== 'number' || !(value >= 1 && value <= MAX_TIMER_MS)) {
      refuse(`${field}.${key}`, value, `a number from 1 to ${MAX_TIMER_MS}`);
    }
    target[key] = value;
  }
}

function refuse(field: string, value: unknown, wanted: string): never {
  throw engineError('BAD_OPTION', `field ${field} ${quote(value)} is not ${wanted}`, {
    details: { field, value: quote(value) },
  });
}
