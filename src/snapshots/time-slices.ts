import { type CallOptions, throwIfAborted } from '../util/signals.js';

const SLICE_MS = 1;

/**
 * Long work of many small system calls in slices: synchronous calls are several times cheaper than asynchronous ones,
 * and giving way after a millisecond keeps the host's event loop free.
 */
export class TimeSlices {
  readonly #call: CallOptions;
  #end: number;

  constructor(call: CallOptions) {
    this.#call = call;
    this.#end = performance.now() + SLICE_MS;
  }

  /** True when it is time to `pause()`. */
  get due(): boolean {
    return performance.now() > this.#end;
  }

  /** Lets the event loop turn; throws when the call was aborted. */
  async pause(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    throwIfAborted(this.#call.signal);
    this.#end = performance.now() + SLICE_MS;
  }
}
