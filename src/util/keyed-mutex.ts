import { type CallOptions, raceSignal } from './signals.js';

/** One queue per key inside this process. Fair: callers get their turn in the order they came. */
export class KeyedMutex {
  #tails = new Map<string, Promise<void>>();

  /** Runs `work` when all earlier work of the same key is done. An aborted waiter leaves the queue without running. */
  async run<T>(key: string, work: () => Promise<T>, call: CallOptions = {}): Promise<T> {
    const before = this.#tails.get(key) ?? Promise.resolve();
    let done!: () => void;
    const turn = new Promise<void>((resolve) => {
      done = resolve;
    });
    const tail = before.then(() => turn);
    this.#tails.set(key, tail);
    // Not when this caller ends: one that gave up waiting would let the next in beside the holder.
    void tail.then(() => {
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    });
    try {
      await raceSignal(before, call.signal);
      return await work();
    } finally {
      done();
    }
  }

  /** Keys that somebody holds or waits for. */
  get size(): number {
    return this.#tails.size;
  }
}
