import type { CallOptions } from '../../util/signals.js';
import type { ContainerDeps } from '../deps.js';
import { cleanUpRun } from './clean-up-run.js';
import { containerAttributes } from './event-attributes.js';
import type { LockedContainer } from './repository.js';

/** The steps of removal; each is idempotent, so that a removal that was cut off is finished by the next one. */
export async function removeLocked(deps: ContainerDeps, locked: LockedContainer, call: CallOptions): Promise<void> {
  const { current } = locked;
  locked.save({ status: 'removing' });
  const runtime = await deps.runtimes.get(current.runtime, call);
  await cleanUpRun(deps, current, runtime, call);
  await deps.snapshotter.remove(current.id, call);
  locked.erase(current.lastExit);
  deps.emit({ type: 'container', action: 'destroy', id: current.id, attributes: containerAttributes(current) });
}
