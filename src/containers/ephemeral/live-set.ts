import { engineError } from '../../errors/index.js';
import type { EphemeralLaunch } from './launch.js';

/** The throwaway containers and exec sessions that this engine holds now; close ends them. */
export class LiveSet {
  #launches = new Set<Pick<EphemeralLaunch, 'process' | 'destroy'>>();

  readonly #starting = new Set<Promise<unknown>>();
  #closed = false;

  /** Runs a start; close waits for it, and refuses those that come later. */
  async starting<T>(start: () => Promise<T>): Promise<T> {
    if (this.#closed) throw engineError('CLOSED', 'the engine is closed');
    const started = start();
    this.#starting.add(started);
    try {
      return await started;
    } finally {
      this.#starting.delete(started);
    }
  }

  /** Keeps it until its process has ended. */
  add(launch: Pick<EphemeralLaunch, 'process' | 'destroy'>): void {
    this.#launches.add(launch);
    const gone = (): void => {
      this.#launches.delete(launch);
    };
    launch.process.exit.then(gone, gone);
  }

  get size(): number {
    return this.#launches.size;
  }

  /** Ends all of them and waits until they are cleaned up. */
  async destroyAll(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#starting);
    const all = [...this.#launches];
    for (const launch of all) launch.destroy();
    await Promise.allSettled(all.map((launch) => launch.process.exit));
  }
}
