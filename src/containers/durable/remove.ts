import { EngineError, engineError } from '../../errors/index.js';
import { isAlive } from '../../os/index.js';
import { shortId } from '../../util/ids.js';
import { assertKnownOptions, type KnownOptions } from '../../util/known-options.js';
import type { CallOptions } from '../../util/signals.js';
import type { ContainerDeps } from '../deps.js';
import { isLive } from '../status.js';
import { killContainer } from './kill.js';
import { removeLocked } from './remove-locked.js';
import { repairLocked } from './repair.js';
import { waitContainer } from './wait.js';

/** Options of `container.remove`. @public */
export interface RemoveContainerOptions extends CallOptions {
  /** Kill it first if it runs. @defaultValue false */
  readonly force?: boolean;
  /**
   * Remove its anonymous volumes too, those that no other container uses; a container with `autoRemove` always does.
   * @defaultValue false
   */
  readonly volumes?: boolean;
}

const KNOWN: KnownOptions<RemoveContainerOptions> = { signal: true, force: true, volumes: true };

/** Removes a container that does not run, with everything of it. */
export async function removeContainer(
  deps: ContainerDeps,
  id: string,
  options: RemoveContainerOptions = {},
): Promise<void> {
  assertKnownOptions(options, KNOWN);
  while (!(await tryRemove(deps, id, options))) {
    // Another process has started it meanwhile.
  }
}

/** False when it runs and is to be killed first. */
async function tryRemove(deps: ContainerDeps, id: string, options: RemoveContainerOptions): Promise<boolean> {
  if (options.force && !(await endForced(deps, id, options))) return true;
  return deps.repository.withContainer(id, options, async (locked) => {
    await repairLocked(deps, locked, options).catch(unlessDiskFull);
    if (deps.repository.find(id) === undefined) return true;
    const { status, task } = locked.current;
    // On a full disk the record may say so of a process that is gone.
    if (isLive(status) && (task === undefined || isAlive(task.init))) {
      if (options.force) return false;
      throw engineError('CONTAINER_RUNNING', `container ${shortId(id)} is ${status}`, { details: { id, status } });
    }
    await removeLocked(deps, locked, options);
    return true;
  });
}

/** Ends the current run if there is one. False when the container is gone with it: auto-remove may have come first. */
async function endForced(deps: ContainerDeps, id: string, call: CallOptions): Promise<boolean> {
  const { status, runs: run } = deps.repository.read(id);
  if (!isLive(status)) return true;
  try {
    await killContainer(deps, id, 'SIGKILL', call);
    await waitContainer(deps, id, { ...call, run }).catch(unlessDiskFull);
  } catch (error) {
    // It ended by itself.
    if (!EngineError.is(error, undefined, 'CONTAINER_NOT_RUNNING')) throw error;
  }
  return deps.repository.find(id) !== undefined;
}

/** A note that finds no room is left out: removal is what makes room. */
function unlessDiskFull(error: unknown): void {
  if (!EngineError.is(error, 'RESOURCE_EXHAUSTED', 'DISK_FULL')) throw error;
}
