import type { EphemeralLaunch } from './launch.js';

/** The throwaway containers and exec sessions that this engine holds now; close ends them. */
export class LiveSet {
  #launches = new Set<Pick<EphemeralLaunch, 'process' | 'destroy'>>();

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
    const all = [...this.#launches];
    for (const launch of all) launch.destroy();
    await Promise.allSettled(all.map((launch) => launch.process.exit));
  }
}
