import { EngineError } from '../../errors/index.js';
import { isAlive } from '../../os/index.js';
import { type CallOptions, cleanupSignal } from '../../util/signals.js';
import type { ContainerDeps } from '../deps.js';
import type { LastExit } from '../record.js';
import { isLive } from '../status.js';
import { cleanUpRun } from './clean-up-run.js';
import { containerAttributes } from './event-attributes.js';
import { removeLocked } from './remove-locked.js';
import type { LockedContainer } from './repository.js';

/** Its anonymous volumes may have much in them. */
const REMOVAL_MS = 60_000;

/** Takes note of an exit: record, clean-up, event, auto-remove. Whoever sees the exit calls it; once is enough, more do no harm. */
export async function settleExit(deps: ContainerDeps, id: string, call: CallOptions = {}): Promise<void> {
  try {
    await deps.repository.withContainer(id, call, (locked) => settleLocked(deps, locked, call));
  } catch (error) {
    if (!EngineError.is(error, 'NOT_FOUND', 'CONTAINER_NOT_FOUND')) throw error;
  }
}

export async function settleLocked(deps: ContainerDeps, locked: LockedContainer, call: CallOptions): Promise<void> {
  const { current } = locked;
  if (!isLive(current.status)) return;
  // The run that ended was settled by others, and this is the next one: to wait for its end here would hold the lock.
  if (current.task !== undefined && isAlive(current.task.init)) return;
  const supervisor = deps.supervisors.get(current.supervisor);
  const exit =
    current.task === undefined
      ? { exitCode: -1, exitedAt: deps.now(), oomKilled: false }
      : await supervisor.wait(current.task, call);
  const lastExit: LastExit = {
    run: current.runs,
    exitCode: exit.exitCode,
    finishedAt: exit.exitedAt.toISOString(),
    oomKilled: exit.oomKilled,
  };
  // The code is saved before its source is cleaned away; `task` stays until that is done.
  locked.save({ status: 'exited', lastExit });
  deps.emit({
    type: 'container',
    action: 'die',
    id: current.id,
    attributes: { ...containerAttributes(current), exitCode: String(exit.exitCode) },
  });
  // Not with the caller's signal: the exit is noted, so nobody would come to do the rest of it.
  await cleanUpRun(deps, current, { signal: cleanupSignal() });
  locked.save({ task: undefined });
  if (current.autoRemove) await removeLocked(deps, locked, { signal: cleanupSignal(REMOVAL_MS) });
}
