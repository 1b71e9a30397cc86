import { existsSync, watch } from 'node:fs';
import { abortError, listenForAbort } from '../../util/signals.js';

/**
 * Waits until the runtime has written the pid file, which it does once the process runs, or until `ended` settles.
 * Event-driven (inotify), with a look before and after.
 */
export async function waitForPidFile(
  dir: string,
  ended: Promise<unknown>,
  signal: AbortSignal | undefined,
): Promise<'started' | 'ended'> {
  const path = `${dir}/pid`;
  if (existsSync(path)) return 'started';
  return new Promise((resolve, reject) => {
    const watcher = watch(dir, { persistent: true });
    const finish = (act: () => void): void => {
      watcher.close();
      signal?.removeEventListener('abort', onAbort);
      act();
    };
    const onAbort = (): void => finish(() => reject(abortError(signal as AbortSignal)));
    const look = (): void => {
      if (existsSync(path)) finish(() => resolve('started'));
    };
    watcher.on('change', look);
    watcher.on('error', () => {});
    listenForAbort(signal, onAbort);
    const onEnd = (): void => finish(() => resolve('ended'));
    ended.then(onEnd, onEnd);
    look();
  });
}
