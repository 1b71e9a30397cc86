import { EngineError } from '../../errors/index.js';
import { createLog } from '../../util/log.js';
import type { CallOptions } from '../../util/signals.js';
import type { ContainerDeps } from '../deps.js';
import { releaseVolumes, removeAnonymous, usedVolumes } from '../volumes/take-volumes.js';
import { cleanUpRun } from './clean-up-run.js';
import { containerAttributes } from './event-attributes.js';
import type { LockedContainer } from './repository.js';

const log = createLog('containers');

export interface RemovalOptions extends CallOptions {
  /** Its anonymous volumes too, those that nobody else uses. */
  readonly volumes?: boolean;
  /** Volumes whose driver does not answer are given up. */
  readonly force?: boolean;
}

/**
 * The steps of removal; each is idempotent, so that a removal that was cut off is finished by the next one. Throws
 * VOLUMES_NOT_RELEASED with the container still there, VOLUMES_NOT_REMOVED with it gone.
 */
export async function removeLocked(
  deps: ContainerDeps,
  locked: LockedContainer,
  options: RemovalOptions,
): Promise<void> {
  const { current } = locked;
  const removeVolumes = options.volumes === true || current.removeVolumes === true || current.autoRemove;
  try {
    locked.save({ status: 'removing', ...(removeVolumes && { removeVolumes }) });
  } catch (error) {
    // What makes room must not need room. Cut off now, the record still names all that the next removal takes away.
    if (!EngineError.is(error, 'RESOURCE_EXHAUSTED', 'DISK_FULL')) throw error;
  }
  await cleanUpRun(deps, current, options);
  const used = usedVolumes(current.mounts ?? []);
  try {
    await releaseVolumes(deps.volumes, used, current.id, options);
  } catch (error) {
    if (options.force !== true) throw error;
    // A hold of a container that is not there counts for nothing.
    log('container %s is removed all the same: %o', current.id, error);
  }
  const left = removeVolumes ? await removeAnonymous(deps.volumes, used, options).catch(noted) : undefined;
  await deps.snapshotter.remove(current.id, options);
  locked.erase(current.lastExit);
  deps.emit({ type: 'container', action: 'destroy', id: current.id, attributes: containerAttributes(current) });
  if (left !== undefined) throw left.error;
}

function noted(error: unknown): { readonly error: unknown } {
  return { error };
}
