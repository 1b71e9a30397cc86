import { engineError, quote } from '../../errors/index.js';
import { createLog } from '../../util/log.js';
import type { StoreDeps } from './deps.js';
import type { VolumeHolder } from './types.js';
import { isLiving, type Use } from './uses.js';

const log = createLog('volumes');

/** Who holds a volume: the durable holds, and those whose process lives. Sorted by id. */
export function listHolders({ files }: Pick<StoreDeps, 'files'>, volume: string): VolumeHolder[] {
  const holders = new Map<string, VolumeHolder>();
  const uses = files.uses.list(volume);
  for (const use of uses.filter(isLiving)) {
    const { holder, kind, since, owner, mount } = use;
    holders.set(holder, { id: holder, kind, since: new Date(since), owner, mounted: mount?.status === 'mounted' });
  }
  for (const { id, kind, since } of files.holds.list(volume)) {
    const mounted = uses.find((use) => use.holder === id)?.mount?.status === 'mounted';
    holders.set(id, { id, kind, since: new Date(since), owner: undefined, mounted });
  }
  return [...holders.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** True when anybody holds it; quicker than to list them. */
export function isHeld({ files }: Pick<StoreDeps, 'files'>, volume: string): boolean {
  return files.holds.hasAny(volume) || files.uses.list(volume).some(isLiving);
}

/** What the driver was told for holders that are gone: their process died, or their hold was dropped by force. */
export function listOrphans({ files }: Pick<StoreDeps, 'files'>, volume: string): Use[] {
  return files.uses.list(volume).filter((use) => !isLiving(use) && !files.holds.has(volume, use.holder));
}

/**
 * Drops the durable holds of containers that are gone. A container is made in the order: intent on disk, hold, record,
 * end of intent; and removed in the order: release, record. So at any moment from before its hold to after its
 * release, `holderExists` finds the intent of a living process or the record, and what it does not find was cut off by
 * a crash. The caller holds the volume's lock.
 */
export function dropGoneContainers(deps: StoreDeps, volume: string): void {
  for (const hold of deps.files.holds.list(volume)) {
    if (hold.kind !== 'container') continue;
    const holder: VolumeHolder = { ...hold, since: new Date(hold.since), owner: undefined, mounted: false };
    try {
      if (deps.holderExists(holder)) continue;
    } catch (error) {
      log('whether holder %s of volume %s exists could not be told: %o', hold.id, volume, error);
      continue;
    }
    deps.files.holds.delete(volume, hold.id);
    log('dropped holder %s of volume %s: it is gone', hold.id, volume);
  }
}

export function inUse(volume: string, holders: readonly VolumeHolder[]): Error {
  const ids = holders.map((holder) => holder.id);
  const shown = ids.slice(0, 8).map((id) => quote(id, 64));
  const more = ids.length > shown.length ? ` and ${ids.length - shown.length} more` : '';
  return engineError('VOLUME_IN_USE', `volume ${quote(volume)} is held by ${shown.join(', ')}${more}`, {
    details: { volume, holders: holders.map(describeHolder) },
  });
}

/** A holder as it stands in error details. */
export function describeHolder({ id, kind, since, owner, mounted }: VolumeHolder): Record<string, unknown> {
  return { id, kind, since: since.toISOString(), mounted, ...(owner !== undefined && { pid: owner.pid }) };
}
