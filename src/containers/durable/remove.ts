import { EngineError, engineError } from '../../errors/index.js';
import { isAlive } from '../../os/index.js';
import { shortId } from '../../util/ids.js';
import type { CallOptions } from '../../util/signals.js';
import type { ContainerDeps } from '../deps.js';
import { isLive } from '../status.js';
import { killContainer } from './kill.js';
import { removeLocked } from './remove-locked.js';
import { repairLocked } from './repair.js';
import { waitContainer } from './wait.js';

/** @public */
export interface RemoveOptions extends CallOptions {
  /** Kill it first if it runs. @defaultValue false */
  readonly force?: boolean;
}

/** Removes a container that does not run, with everything of it. */
export async function removeContainer(deps: ContainerDeps, id: string, options: RemoveOptions = {}): Promise<void> {
  if (options.force && isLive(deps.repository.read(id).status)) {
    await killContainer(deps, id, 'SIGKILL', options);
    await waitContainer(deps, id, options).catch(unlessDiskFull);
    // Auto-remove may have come first.
    if (deps.repository.find(id) === undefined) return;
  }
  await deps.repository.withContainer(id, options, async (locked) => {
    await repairLocked(deps, locked, options).catch(unlessDiskFull);
    if (deps.repository.find(id) === undefined) return;
    const { status, task } = locked.current;
    // On a full disk the record may say so of a process that is gone.
    if (isLive(status) && (task === undefined || isAlive(task.init))) {
      throw engineError('CONTAINER_RUNNING', `container ${shortId(id)} is ${status}`, { details: { id, status } });
    }
    await removeLocked(deps, locked, options);
  });
}

/** A note that finds no room is left out: removal is what makes room. */
function unlessDiskFull(error: unknown): void {
  if (!EngineError.is(error, 'RESOURCE_EXHAUSTED', 'DISK_FULL')) throw error;
}
