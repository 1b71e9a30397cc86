import { watch } from 'node:fs';
import { engineError, quote } from '../../errors/index.js';
import { abortError, type CallOptions, listenForAbort, throwIfAborted } from '../../util/signals.js';
import type { ContainerDeps } from '../deps.js';
import type { ContainerRecord, LastExit } from '../record.js';
import { isLive } from '../status.js';
import { settleExit } from './settle.js';

/** How a container's run ended. @public */
export interface ContainerExit {
  /** 0 to 255; 128 + n for a signal; -1 when it was lost with supervisor or host. */
  readonly exitCode: number;
  /** When its process ended. */
  readonly finishedAt: Date;
  /** True when the kernel killed it for its memory limit. */
  readonly oomKilled: boolean;
}

/**
 * Waits for the end of the current run; of the first one for a container that was never started. An exit that has
 * happened is given at once, also after auto-remove. Event-driven.
 */
export async function waitContainer(
  deps: ContainerDeps,
  id: string,
  call: CallOptions & {
    /** Which run; a caller that acts on a run must name it, for another process may have started the next one. */
    readonly run?: number;
  } = {},
): Promise<ContainerExit> {
  // The host waits: its event loop must not end meanwhile, although nothing else may keep it.
  // allow timer: cleared in finally
  const keepAlive = setInterval(() => {}, 0x7fffffff);
  try {
    const first = deps.repository.find(id);
    const run = call.run ?? (first === undefined ? 1 : currentRun(first));
    for (;;) {
      throwIfAborted(call.signal);
      const record = deps.repository.find(id);
      const last = record === undefined ? deps.repository.findTombstone(id) : record.lastExit;
      if (last !== undefined && last.run >= run) return toExit(last);
      if (record === undefined) {
        throw engineError('CONTAINER_NOT_FOUND', `container ${quote(id)} does not exist`, {
          details: { container: id },
        });
      }
      if (isLive(record.status) && record.task !== undefined) {
        await deps.supervisors.get(record.supervisor).wait(record.task, call);
        await settleExit(deps, id, call);
      } else {
        await recordChange(deps.repository.directory(id), call.signal);
      }
    }
  } finally {
    clearInterval(keepAlive);
  }
}

function currentRun({ status, runs }: ContainerRecord): number {
  return status === 'created' || status === 'starting' ? runs + 1 : runs;
}

function toExit(last: LastExit): ContainerExit {
  return { exitCode: last.exitCode, finishedAt: new Date(last.finishedAt), oomKilled: last.oomKilled };
}

/** Resolves when something in the directory changes, at the latest after a second: a change may come before the watch stands. */
function recordChange(dir: string, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    let watcher: ReturnType<typeof watch> | undefined;
    const finish = (act: () => void): void => {
      clearTimeout(timer);
      watcher?.close();
      signal?.removeEventListener('abort', onAbort);
      act();
    };
    const onAbort = (): void => finish(() => reject(abortError(signal as AbortSignal)));
    const timer = setTimeout(() => finish(resolve), 1000);
    timer.unref();
    listenForAbort(signal, onAbort);
    try {
      watcher = watch(dir, { persistent: false }, () => finish(resolve));
      watcher.on('error', () => finish(resolve));
    } catch {
      finish(resolve);
    }
  });
}
