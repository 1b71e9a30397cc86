import { EngineError } from '../../errors/index.js';
import type { CallOptions } from '../../util/signals.js';
import type { ContainerDeps } from '../deps.js';
import { cleanUpRun } from './clean-up-run.js';
import { containerAttributes } from './event-attributes.js';
import type { LockedContainer } from './repository.js';

/** The steps of removal; each is idempotent, so that a removal that was cut off is finished by the next one. */
export async function removeLocked(deps: ContainerDeps, locked: LockedContainer, call: CallOptions): Promise<void> {
  const { current } = locked;
  try {
    locked.save({ status: 'removing' });
  } catch (error) {
    // What makes room must not need room. Cut off now, the record still names all that the next removal takes away.
    if (!EngineError.is(error, 'RESOURCE_EXHAUSTED', 'DISK_FULL')) throw error;
  }
  await cleanUpRun(deps, current, call);
  await deps.snapshotter.remove(current.id, call);
  locked.erase(current.lastExit);
  deps.emit({ type: 'container', action: 'destroy', id: current.id, attributes: containerAttributes(current) });
}
