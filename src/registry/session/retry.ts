import { type CallOptions, sleep } from '../../util/signals.js';
import { isPassing } from '../http/transport-error.js';

export interface RetryLimits {
  /** Tries in all. */
  readonly attempts: number;
  /** Wait before the second try; doubled for each further one, with some chance in it. */
  readonly retryDelayMs: number;
  readonly maxRetryDelayMs: number;
}

/** How long to wait before try `attempt + 1`: `attempt` have failed. */
export function backoffMs(attempt: number, limits: RetryLimits): number {
  const full = Math.min(limits.maxRetryDelayMs, limits.retryDelayMs * 2 ** (attempt - 1));
  // Many processes that failed together must not come back together.
  return full * (0.5 + Math.random() / 2);
}

/** The caller waits for an answer, so the process must not end meanwhile. */
export function pause(ms: number, call: CallOptions): Promise<void> {
  return sleep(ms, { ...call, keepAlive: true });
}

/** Codes of a host that is not there at all: no reason to wait for it unless it was there before. */
const ABSENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EAI_NODATA', 'EAI_NONAME']);

export function isAbsent(error: unknown): boolean {
  return isPassing(error) && ABSENT.has(String(error.details['errno']));
}

/** A kept connection that the server had closed: tried again at once, and not counted. */
export function isStale(error: unknown): boolean {
  return isPassing(error) && error.details['stale'] === true;
}

const PASSING_STATUS = new Set([408, 429, 500, 502, 503, 504]);

export function isPassingStatus(status: number): boolean {
  return PASSING_STATUS.has(status);
}
