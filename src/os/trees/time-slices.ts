import { type CallOptions, throwIfAborted } from '../../util/signals.js';

const SLICE_MS = 1;
// A throwaway container's tree has fewer entries: it goes in one slice also where the disk is slow.
const STEPS_MIN = 24;

/**
 * Long work of many small system calls in slices: synchronous calls are several times cheaper than asynchronous ones,
 * and giving way after a millisecond keeps the host's event loop free.
 */
export class TimeSlices {
  readonly #call: CallOptions;
  #end: number;
  #steps = 0;

  constructor(call: CallOptions) {
    this.#call = call;
    this.#end = performance.now() + SLICE_MS;
  }

  /** Asked before each step: true when it is time to `pause()`. */
  get due(): boolean {
    return ++this.#steps > STEPS_MIN && performance.now() > this.#end;
  }

  /** Lets the event loop turn; throws when the call was aborted. */
  async pause(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    throwIfAborted(this.#call.signal);
    this.#end = performance.now() + SLICE_MS;
    this.#steps = 0;
  }
}
