import { type FSWatcher, watch } from 'node:fs';
import { abortError, type CallOptions, listenForAbort } from '../../util/signals.js';

export interface AwaitChangeOptions extends CallOptions {
  /** Directory whose changes make `check` worth a try. */
  readonly dir: string;
  /** Also tried this often: a change may come from elsewhere, and inotify may be exhausted. */
  readonly pollMs: number;
  /** False: the host may end meanwhile; for a watcher that nobody waits for. @defaultValue true */
  readonly keepAlive?: boolean;
}

/** Resolves with the first value that `check` gives. */
export function awaitChange<T>(check: () => T | undefined, options: AwaitChangeOptions): Promise<T> {
  const { signal, keepAlive = true } = options;
  return new Promise<T>((resolve, reject) => {
    let watcher: FSWatcher | undefined;
    let timer: NodeJS.Timeout | undefined;

    const finish = () => {
      watcher?.close();
      clearInterval(timer);
      signal?.removeEventListener('abort', onAbort);
    };
    const onAbort = () => {
      finish();
      reject(abortError(signal as AbortSignal));
    };
    const attempt = (): boolean => {
      try {
        const value = check();
        if (value === undefined) return false;
        finish();
        resolve(value);
      } catch (error) {
        finish();
        reject(error);
      }
      return true;
    };

    if (signal?.aborted) {
      onAbort();
      return;
    }
    try {
      watcher = watch(options.dir, { persistent: keepAlive }, attempt);
      watcher.on('error', () => watcher?.close());
    } catch {
      // No inotify instance left, or no such directory: the poll does it alone.
    }
    // Looked at after the watch stands, or a change between the two would be missed.
    if (attempt()) return;
    // allow timer: a caller waits for it, and settling clears it
    timer = setInterval(attempt, options.pollMs);
    if (!keepAlive) timer.unref();
    listenForAbort(signal, onAbort);
  });
}
