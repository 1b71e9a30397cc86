import { engineError, quote } from '../../errors/index.js';
import { bootId, type ProcessIdentity } from '../../os/process-identity.js';
import type { CallOptions } from '../../util/signals.js';
import type { StoreDeps } from './deps.js';
import { onVolume } from './locate.js';
import type { HolderKind } from './types.js';
import { undoUse } from './unmount-volume.js';
import { isLiving, type Use } from './uses.js';
import type { VolumeRecord } from './volume-record.js';

/** A holder whose fields were checked. */
export interface Holder {
  readonly id: string;
  readonly kind: HolderKind;
  readonly owner: ProcessIdentity | undefined;
}

/** Makes the volume stay as long as the holder needs it. Idempotent; one that only a driver knows is recorded. */
export async function holdVolume(deps: StoreDeps, name: string, holder: Holder, call: CallOptions): Promise<void> {
  for (;;) {
    const left = await onVolume(deps, name, call, (record) => addHold(deps, record, holder));
    if (left === undefined) return;
    await undoUse(deps, name, left, call);
  }
}

/**
 * Adds a hold; gives what an earlier holder of this id left mounted when that has to be undone first. Throws
 * VOLUME_HOLDER_TAKEN. The caller holds the lock and has found the volume ready.
 */
export function addHold(deps: StoreDeps, record: VolumeRecord, holder: Holder): Use | undefined {
  const { files, now } = deps;
  const { name } = record;
  const use = files.uses.find(name, holder.id);
  if (files.holds.has(name, holder.id)) return undefined;
  if (use !== undefined) {
    if (isLiving(use)) assertSameOwner(name, use, holder);
    else if (use.mount !== undefined) return use;
  }
  const since = now().toISOString();
  if (holder.owner !== undefined) {
    if (use === undefined || !isLiving(use)) {
      const { id, kind, owner } = holder;
      files.uses.write(name, { boot: bootId(), holder: id, kind, since, owner });
    }
    return undefined;
  }
  // What outlives this process must not need a volume whose record may not survive a power cut.
  if (record.owner !== undefined) files.writeAnew(withoutOwner(record));
  files.holds.add(name, { id: holder.id, kind: holder.kind, since: use?.since ?? since });
  if (use?.mount !== undefined) files.uses.write(name, withoutOwner(use));
  else if (use !== undefined) files.uses.delete(name, holder.id);
  return undefined;
}

function withoutOwner<T extends { readonly owner?: ProcessIdentity }>({ owner: _, ...rest }: T): Omit<T, 'owner'> {
  return rest;
}

function assertSameOwner(volume: string, use: Use, { id, owner }: Holder): void {
  const held = use.owner as ProcessIdentity;
  if (owner === undefined || (owner.pid === held.pid && owner.startTime === held.startTime)) return;
  throw engineError('VOLUME_HOLDER_TAKEN', `holder ${quote(id)} of volume ${quote(volume)} is process ${held.pid}'s`, {
    details: { volume, holder: id, owner: held },
  });
}
