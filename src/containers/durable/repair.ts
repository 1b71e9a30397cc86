import { isAlive } from '../../os/index.js';
import type { CallOptions } from '../../util/signals.js';
import type { ContainerDeps } from '../deps.js';
import type { ContainerRecord } from '../record.js';
import { isLive } from '../status.js';
import { cleanUpRun } from './clean-up-run.js';
import { removeLocked } from './remove-locked.js';
import type { LockedContainer } from './repository.js';
import { settleLocked } from './settle.js';

/** True when a record says that something was begun and not ended; a living process may be at it. */
export function isUnfinished(record: ContainerRecord): boolean {
  const { status, task } = record;
  if (status === 'starting' || status === 'removing') return true;
  return isLive(status) ? task === undefined || !isAlive(task.init) : task !== undefined;
}

/**
 * Finishes or undoes what a dead process left of a container. We hold its lock, which every verb holds while it
 * works: so a status of "working on it" means that the worker is dead.
 */
export async function repairLocked(
  deps: ContainerDeps,
  locked: LockedContainer,
  call: CallOptions = {},
): Promise<void> {
  const { current } = locked;
  if (current.status === 'starting') {
    await repairStart(deps, locked, call);
  } else if (current.status === 'removing') {
    await removeLocked(deps, locked, call);
  } else if (isLive(current.status)) {
    if (current.task === undefined || !isAlive(current.task.init)) await settleLocked(deps, locked, call);
  } else if (current.task !== undefined) {
    await finishExit(deps, locked, call);
  }
}

/** A start whose process runs is finished: the supervisor has it. One that has not come so far is undone. */
async function repairStart(deps: ContainerDeps, locked: LockedContainer, call: CallOptions): Promise<void> {
  const { current } = locked;
  const runtime = await deps.runtimes.get(current.runtime, call);
  const { task } = current;
  const state = task === undefined ? undefined : await runtime.state(current.id, call);
  if (task !== undefined && state?.status === 'running' && isAlive(task.init)) {
    locked.save({ status: 'running', runs: current.runs + 1, startedAt: deps.now().toISOString() });
    deps.exits.watch(current.id, task);
    return;
  }
  // It ran and has ended meanwhile: a code other than "lost" is the proof.
  const exit = task && (await deps.supervisors.get(current.supervisor).findExit(task, call));
  if (exit !== undefined && exit.exitCode >= 0) {
    locked.save({ status: 'running', runs: current.runs + 1 });
    await settleLocked(deps, locked, call);
    return;
  }
  await cleanUpRun(deps, current, call);
  locked.save({ status: current.runs === 0 ? 'created' : 'exited', task: undefined });
}

async function finishExit(deps: ContainerDeps, locked: LockedContainer, call: CallOptions): Promise<void> {
  await cleanUpRun(deps, locked.current, call);
  locked.save({ task: undefined });
}
