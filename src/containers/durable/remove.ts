import { engineError } from '../../errors/index.js';
import { shortId } from '../../util/ids.js';
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
}

/** Removes a container that does not run, with everything of it. */
export async function removeContainer(
  deps: ContainerDeps,
  id: string,
  options: RemoveContainerOptions = {},
): Promise<void> {
  if (options.force && isLive(deps.repository.read(id).status)) {
    await killContainer(deps, id, 'SIGKILL', options);
    await waitContainer(deps, id, options);
    // Auto-remove may have come first.
    if (deps.repository.find(id) === undefined) return;
  }
  await deps.repository.withContainer(id, options, async (locked) => {
    await repairLocked(deps, locked, options);
    if (deps.repository.find(id) === undefined) return;
    const { status } = locked.current;
    if (isLive(status)) {
      throw engineError('CONTAINER_RUNNING', `container ${shortId(id)} is ${status}`, { details: { id, status } });
    }
    await removeLocked(deps, locked, options);
  });
}
