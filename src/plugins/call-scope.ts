import { abortError, type CallOptions, listenForAbort, throwIfAborted } from '../util/signals.js';

/** Calls in flight, so that closing can end them. */
export type OpenCalls = Set<AbortController>;

export interface CallScopeOptions {
  readonly openCalls: OpenCalls;
  readonly timeoutMs: number;
  readonly timeoutError: () => Error;
}

/** The signal of one call: ends with the caller's signal, with the time limit, or when its owner closes. */
export class CallScope implements Disposable {
  readonly signal: AbortSignal;
  #end: () => void;

  constructor(call: CallOptions, options: CallScopeOptions) {
    throwIfAborted(call.signal);
    const controller = new AbortController();
    this.signal = controller.signal;
    const { signal } = call;
    const onAbort = () => controller.abort(abortError(signal as AbortSignal));
    const timer = setTimeout(() => controller.abort(options.timeoutError()), options.timeoutMs);
    timer.unref();
    listenForAbort(signal, onAbort);
    options.openCalls.add(controller);
    this.#end = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      options.openCalls.delete(controller);
    };
  }

  [Symbol.dispose](): void {
    this.#end();
  }
}
