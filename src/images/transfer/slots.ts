import { type CallOptions, raceSignal } from '../../util/signals.js';

/** At most so many at once; the others wait in the order they came. */
export class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  async run<T>(work: () => Promise<T>, call: CallOptions = {}): Promise<T> {
    await this.#take(call);
    try {
      return await work();
    } finally {
      this.#give();
    }
  }

  async #take(call: CallOptions): Promise<void> {
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    let grant!: () => void;
    const granted = new Promise<void>((resolve) => {
      grant = resolve;
    });
    this.#waiting.push(grant);
    try {
      await raceSignal(granted, call.signal);
    } catch (error) {
      const at = this.#waiting.indexOf(grant);
      // It may have been granted in the same turn: then it is handed on.
      if (at < 0) this.#give();
      else this.#waiting.splice(at, 1);
      throw error;
    }
  }

  #give(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }
}
