import { engineError, quote } from '../../errors/index.js';
import type { StoreDeps } from './deps.js';
import { volumeAttributes } from './events.js';
import { describeHolder, dropGoneContainers, listHolders } from './holders.js';
import type { VolumeRecord } from './volume-record.js';

/**
 * Called when a driver said for sure that it has no such volume: its record goes, unless somebody holds it (throws
 * VOLUME_LOST then) or it became another one meanwhile.
 */
export async function purgeLost(deps: StoreDeps, lost: VolumeRecord): Promise<void> {
  const { name } = lost;
  const purged = await deps.files.locked(name, {}, () => {
    const record = deps.files.find(name);
    if (record?.instance !== lost.instance || record.state.status !== 'ready') return false;
    dropGoneContainers(deps, name);
    const holders = listHolders(deps, name);
    if (holders.length > 0) throw lostError(record, holders);
    for (const use of deps.files.uses.list(name)) deps.files.uses.delete(name, use.holder);
    deps.files.delete(record);
    return true;
  });
  if (purged) deps.emit({ type: 'volume', action: 'destroy', id: name, attributes: volumeAttributes(lost) });
}

function lostError(record: VolumeRecord, holders: ReturnType<typeof listHolders>): Error {
  const { name, driver } = record;
  return engineError('VOLUME_LOST', `driver ${quote(driver)} has no volume ${quote(name)} any more`, {
    details: { volume: name, driver, holders: holders.map(describeHolder) },
  });
}
