import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { type Unpacking, unpackHere } from './unpack-here.js';
import type { UnpackRequest } from './unpack-job.js';
import { UnpackThread } from './unpack-thread.js';

/** More threads cost memory, and two of them with the host's own keep a disk busy. */
const MAX_THREADS = 2;

/**
 * Threads that layers are unpacked in, while there are pulls. Where the thread's file is missing (the package was
 * bundled into another program) the work is done here, in small pieces.
 */
export class UnpackPool {
  readonly #size: number;
  readonly #file: URL;
  #threads: UnpackThread[] = [];
  #users = 0;

  constructor(options: { readonly threads?: number; readonly file?: URL } = {}) {
    this.#size = options.threads ?? Math.min(MAX_THREADS, availableParallelism());
    this.#file = options.file ?? new URL('./unpack-worker.js', import.meta.url);
  }

  /** Keeps the threads until it is disposed of. */
  use(): Disposable {
    this.#users++;
    let isOver = false;
    return {
      [Symbol.dispose]: () => {
        if (isOver) return;
        isOver = true;
        if (--this.#users > 0) return;
        for (const thread of this.#threads) thread.end();
        this.#threads = [];
      },
    };
  }

  /** Starts the threads, so that they are there when the first layer comes. */
  warm(layers: number): void {
    while (this.#threads.length < Math.min(this.#size, layers) && this.#canThread()) {
      this.#threads.push(new UnpackThread(this.#file));
    }
  }

  /** Starts to unpack a layer; call it between `use` and its end. */
  start(request: UnpackRequest, onRead: (position: number) => void = () => {}): Unpacking {
    this.#threads = this.#threads.filter((thread) => !thread.isLost);
    this.warm(this.#threads.length + 1);
    const [thread] = this.#threads.sort((a, b) => a.load - b.load);
    return thread === undefined ? unpackHere(request, onRead) : thread.start(request, onRead);
  }

  #canThread(): boolean {
    return this.#file.protocol === 'file:' && existsSync(this.#file);
  }
}
