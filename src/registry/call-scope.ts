import { engineError } from '../errors/index.js';
import { abortError, type CallOptions, throwIfAborted } from '../util/signals.js';

/** What a client has under way, so that closing it can end all of it. */
export class OpenCalls {
  readonly #controllers = new Set<AbortController>();
  #isClosed = false;

  /** The signal of one call: ends with the caller's or when the client closes. Throws CLOSED. */
  begin(call: CallOptions): CallScope {
    if (this.#isClosed) throw closed();
    throwIfAborted(call.signal);
    const controller = new AbortController();
    const { signal } = call;
    const onAbort = () => controller.abort(abortError(signal as AbortSignal));
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#controllers.add(controller);
    return {
      signal: controller.signal,
      [Symbol.dispose]: () => {
        signal?.removeEventListener('abort', onAbort);
        this.#controllers.delete(controller);
      },
    };
  }

  /** Ends all calls with CLOSED. Idempotent. */
  close(): void {
    this.#isClosed = true;
    for (const controller of this.#controllers) controller.abort(closed());
    this.#controllers.clear();
  }
}

export interface CallScope extends Disposable {
  readonly signal: AbortSignal;
}

function closed(): Error {
  return engineError('CLOSED', 'the registry client is closed');
}
