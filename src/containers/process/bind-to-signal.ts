import { abortError, listenForAbort } from '../../util/signals.js';
import { signalNumber } from '../signal-number.js';
import type { RunningProcess } from './running-process.js';

/** A process and the means to end it for certain, with all that belongs to it. */
export interface Destroyable {
  readonly process: RunningProcess;
  destroy(): void;
}

/**
 * The process as its caller gets it: the signal ends it and is then what `exit` rejects with, and SIGKILL reaches the
 * process itself, where the runtime can't forward it.
 */
export function bindToSignal({ process, destroy }: Destroyable, signal: AbortSignal | undefined): RunningProcess {
  let ended = false;
  const onEnd = (): void => {
    ended = true;
  };
  process.exit.then(onEnd, onEnd);
  const kill = (kind: string | number = 'SIGTERM'): boolean => {
    const number = signalNumber(kind);
    if (number !== 9) return process.kill(number);
    if (ended) return false;
    destroy();
    return true;
  };
  if (signal === undefined) return { ...process, kill };
  let aborted = false;
  const onAbort = (): void => {
    aborted = true;
    destroy();
  };
  listenForAbort(signal, onAbort);
  const exit = process.exit
    .finally(() => signal.removeEventListener('abort', onAbort))
    .then((outcome) => {
      if (aborted) throw abortError(signal);
      return outcome;
    });
  // A caller that only reads the output must not have its host ended by this.
  exit.catch(() => {});
  return { ...process, exit, kill };
}
