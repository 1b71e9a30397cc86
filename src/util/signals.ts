import { setMaxListeners } from 'node:events';
import { EngineError, engineError, quote } from '../errors/index.js';

/** Options that every call that can block takes. @public */
export interface CallOptions {
  /** Aborts the call; what it half did is rolled back and it throws CANCELED (or DEADLINE_EXCEEDED for a timeout signal). */
  readonly signal?: AbortSignal;
}

/** The error that an aborted signal stands for. */
export function abortError(signal: AbortSignal): Error {
  const cause: unknown = signal.reason;
  if (EngineError.is(cause)) return cause;
  if (cause instanceof Error && cause.name === 'TimeoutError') {
    return engineError('TIMED_OUT', 'the time limit of the call passed', { cause });
  }
  return engineError('CANCELED', 'the call was canceled', { cause });
}

/** Throws when the signal is aborted, or BAD_OPTION when it is none. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal === undefined) return;
  if (typeof signal?.addEventListener !== 'function') {
    throw engineError('BAD_OPTION', `field signal ${quote(signal)} is not an AbortSignal`, {
      details: { field: 'signal' },
    });
  }
  if (signal.aborted) throw abortError(signal);
}

/**
 * Calls `listener` once when the signal aborts; take it away with `removeEventListener`. Node warns of the eleventh
 * listener of a signal as of a leak: but one signal for many containers is what hosts do.
 */
export function listenForAbort(signal: AbortSignal | undefined, listener: () => void): void {
  if (signal === undefined) return;
  setMaxListeners(0, signal);
  signal.addEventListener('abort', listener, { once: true });
}

/** Settles like `promise`, or rejects as soon as the signal aborts. The promise's own work goes on; its late failure is swallowed. */
export function raceSignal<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  if (signal.aborted) {
    promise.catch(() => {});
    return Promise.reject(abortError(signal));
  }
  return new Promise<T>((resolve, reject) => {
    const stop = () => {
      promise.catch(() => {});
      reject(abortError(signal));
    };
    listenForAbort(signal, stop);
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

/** A signal for cleaning up: not the caller's, ends by itself. */
export function cleanupSignal(timeoutMs = 10_000): AbortSignal {
  return AbortSignal.timeout(timeoutMs);
}

/** Waits; the timer is unref'd unless `keepAlive`, and the signal ends it early with its error. */
export function sleep(ms: number, options: CallOptions & { keepAlive?: boolean } = {}): Promise<void> {
  const { signal } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(abortError(signal));
      return;
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    if (!options.keepAlive) timer.unref();
    const stop = () => {
      clearTimeout(timer);
      reject(abortError(signal as AbortSignal));
    };
    listenForAbort(signal, stop);
  });
}
