import { sleep } from '../util/signals.js';
import { isPassing } from './connect-plugin.js';

/** Docker's waits before the next connection, milliseconds; the last one repeats. */
export const DOCKER_DELAYS_MS: readonly number[] = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000];

export interface RetryOptions {
  readonly signal: AbortSignal;
  /** No wait begins that would end after this time; 0: one attempt. */
  readonly windowMs: number;
  readonly delaysMs: readonly number[];
}

/**
 * Repeats `attempt` while its connection fails for a passing reason. By Docker's rule a window of 30 s means waits of 1,
 * 2, 4 and 8 s, so a plugin that refuses at once is given up after 15 s.
 */
export async function retryConnect<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  const startedAt = performance.now();
  for (let failures = 0; ; failures++) {
    try {
      return await attempt();
    } catch (error) {
      const delay = options.delaysMs[Math.min(failures, options.delaysMs.length - 1)] ?? 0;
      if (!isPassing(error) || performance.now() - startedAt + delay >= options.windowMs) throw error;
      // The caller waits for an answer, so the process must not end meanwhile.
      await sleep(delay, { signal: options.signal, keepAlive: true });
    }
  }
}
