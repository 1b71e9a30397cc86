interface Waiter {
  readonly shared: boolean;
  readonly grant: () => void;
}

interface Queue {
  waiting: Waiter[];
  /** Number of shared holders, or -1 for an exclusive one. */
  held: number;
}

/** A place in the queue. */
export interface Turn {
  /** Resolves when it is this caller's turn. */
  readonly ready: Promise<void>;
  /** True from then on. */
  readonly granted: boolean;
  /** Gives the turn back, or leaves the queue before it came. Idempotent. */
  leave(): void;
}

/** Fair queues by key inside this process: exclusive turns one at a time, neighbouring shared ones together. */
export class LockQueue {
  readonly #queues = new Map<string, Queue>();

  enter(key: string, shared: boolean): Turn {
    const queue = this.#queues.get(key) ?? { waiting: [], held: 0 };
    this.#queues.set(key, queue);
    let state: 'waiting' | 'held' | 'left' = 'waiting';
    let resolve!: () => void;
    const ready = new Promise<void>((done) => {
      resolve = done;
    });
    const waiter: Waiter = {
      shared,
      grant: () => {
        state = 'held';
        resolve();
      },
    };
    queue.waiting.push(waiter);
    this.#serve(key, queue);
    const leave = () => {
      if (state === 'left') return;
      if (state === 'waiting') queue.waiting.splice(queue.waiting.indexOf(waiter), 1);
      else queue.held = shared ? queue.held - 1 : 0;
      state = 'left';
      this.#serve(key, queue);
    };
    return {
      ready,
      get granted() {
        return state === 'held';
      },
      leave,
    };
  }

  /** A turn that is free right now, or `undefined`. */
  tryEnter(key: string, shared: boolean): Turn | undefined {
    const queue = this.#queues.get(key);
    const free = queue === undefined || (shared && queue.waiting.length === 0 && queue.held >= 0);
    return free ? this.enter(key, shared) : undefined;
  }

  #serve(key: string, queue: Queue): void {
    for (let first = queue.waiting[0]; first !== undefined; first = queue.waiting[0]) {
      const free = queue.held === 0 || (first.shared && queue.held > 0);
      if (!free) return;
      queue.waiting.shift();
      queue.held = first.shared ? queue.held + 1 : -1;
      first.grant();
    }
    if (queue.held === 0) this.#queues.delete(key);
  }
}
