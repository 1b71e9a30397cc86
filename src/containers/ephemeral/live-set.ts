import { setMaxListeners } from 'node:events';
import { engineError } from '../../errors/index.js';
import { type CallOptions, throwIfAborted } from '../../util/signals.js';
import type { EphemeralLaunch } from './launch.js';

type Ending = Pick<EphemeralLaunch, 'process' | 'destroy'>;

/**
 * What this engine holds: throwaway containers and exec sessions, calls under way, and calls that only wait. Close
 * ends the first, awaits the second and cancels the third.
 */
export class LiveSet {
  readonly #launches = new Set<Ending>();
  readonly #calls = new Set<Promise<unknown>>();
  readonly #closing = new AbortController();

  constructor() {
    // Any number of calls wait on it; Node takes more than ten for a leak and says so in the host's output.
    setMaxListeners(0, this.#closing.signal);
  }

  /** Throws CLOSED. */
  assertOpen(): void {
    throwIfAborted(this.#closing.signal);
  }

  /** For a call that only waits: the caller's signal, that also aborts with CLOSED when the engine closes. */
  orClosing({ signal }: CallOptions = {}): { readonly signal: AbortSignal } {
    const closing = this.#closing.signal;
    throwIfAborted(signal);
    return { signal: signal === undefined ? closing : AbortSignal.any([signal, closing]) };
  }

  /** Does a piece of work that close must not cut in half. Throws CLOSED. */
  async call<T>(work: () => Promise<T>): Promise<T> {
    this.assertOpen();
    const running = work();
    this.#calls.add(running);
    try {
      return await running;
    } finally {
      this.#calls.delete(running);
    }
  }

  /** Keeps it until its process has ended. */
  add(launch: Ending): void {
    this.#launches.add(launch);
    const gone = (): void => {
      this.#launches.delete(launch);
    };
    launch.process.exit.then(gone, gone);
    // Its call had begun before the engine was closed.
    if (this.#closing.signal.aborted) launch.destroy();
  }

  get size(): number {
    return this.#launches.size;
  }

  /** Takes no further calls, ends all it holds, and resolves when that is cleaned up. */
  async close(): Promise<void> {
    this.#closing.abort(engineError('CLOSED', 'the engine is closed'));
    while (this.#calls.size > 0 || this.#launches.size > 0) {
      // Again in each round: a call that was under way may have added one.
      for (const launch of this.#launches) launch.destroy();
      await Promise.allSettled([...this.#calls, ...[...this.#launches].map((launch) => launch.process.exit)]);
    }
  }
}
