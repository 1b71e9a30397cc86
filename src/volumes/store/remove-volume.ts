import { assertSafeName } from '../../util/ids.js';
import type { CallOptions } from '../../util/signals.js';
import type { StoreDeps } from './deps.js';
import { volumeAttributes } from './events.js';
import { isDiskFull, isUncertain, notFound } from './failures.js';
import { dropGoneContainers, inUse, listHolders, listOrphans } from './holders.js';
import { adoptedRecord, locate } from './locate.js';
import { begin, type ClaimedRecord, conclude, opOf, whenSettled } from './settle.js';
import type { RemoveVolumeOptions } from './types.js';
import { undoUse } from './unmount-volume.js';
import type { Use } from './uses.js';
import type { VolumeRecord } from './volume-record.js';

export interface RemoveRequest extends RemoveVolumeOptions {
  /** Only while it is this one, not a later one of the same name. */
  readonly instance?: string;
}

/** Removes a volume that nobody holds, with its content. */
export async function removeVolume(deps: StoreDeps, name: string, request: RemoveRequest): Promise<void> {
  const { signal, force = false } = request;
  const call: CallOptions = signal === undefined ? {} : { signal };
  assertSafeName('volume name', name);
  const seen = deps.files.find(name);
  const cutOff = seen?.state.status === 'removing' && !deps.operations.isRunning(opOf(seen.state));
  if (force && seen !== undefined && (await deps.drivers.find(seen.driver, call)) === undefined) {
    if (await dropRecord(deps, name, call)) return;
  }
  for (let undone = false; ; undone = true) {
    const step = await whenSettled(deps, name, call, (record) =>
      record === undefined ? 'unknown' : claimRemoval(deps, record, request.instance, undone),
    ).catch((error: unknown) => (isDiskFull(error) ? 'full' : Promise.reject(error)));
    if (step === 'full') {
      await removeOnFullDisk(deps, name, request.instance, call);
      return;
    }
    if (step === 'unknown') {
      // Waiting for it to settle brought a removal to its end that had been cut off.
      if (cutOff || (await removeUnrecorded(deps, name, call)) || force) return;
      throw notFound(name);
    }
    if ('state' in step) {
      await tellDriver(deps, step, call);
      return;
    }
    for (const orphan of step.orphans) {
      // What a driver refuses to unmount, it will refuse to remove; what it has forgotten, it will not.
      await undoUse(deps, name, orphan, call).catch((error: unknown) => {
        if (isUncertain(error)) throw error;
      });
    }
  }
}

function claimRemoval(
  deps: StoreDeps,
  record: VolumeRecord,
  instance: string | undefined,
  undone: boolean,
): ClaimedRecord | { readonly orphans: readonly Use[] } {
  const { name } = record;
  if (instance !== undefined && record.instance !== instance) throw notFound(name);
  assertUnused(deps, name);
  const orphans = undone ? [] : listOrphans(deps, name);
  return orphans.length > 0 ? { orphans } : begin(deps, record, 'removing');
}

/** Throws VOLUME_IN_USE. The caller holds the lock. */
export function assertUnused(deps: StoreDeps, name: string): void {
  dropGoneContainers(deps, name);
  const holders = listHolders(deps, name);
  if (holders.length > 0) throw inUse(name, holders);
}

async function tellDriver(deps: StoreDeps, record: ClaimedRecord, call: CallOptions): Promise<void> {
  const { name } = record;
  try {
    const driver = await deps.drivers.get(record.driver, call);
    await driver.remove(name, call);
    await conclude(deps, record, undefined, () => deleteUses(deps, name));
  } catch (error) {
    await conclude(deps, record, { status: isUncertain(error) ? 'doubtful' : 'ready' });
    throw error;
  } finally {
    deps.operations.end(record.state.op);
  }
  deps.emit({ type: 'volume', action: 'destroy', id: name, attributes: volumeAttributes(record) });
}

/**
 * What makes room must not need room. That it is being removed can't be written down, so the lock is held meanwhile;
 * when this is cut off, the record says that it is ready, and its driver that it has none or a whole one.
 */
async function removeOnFullDisk(
  deps: StoreDeps,
  name: string,
  instance: string | undefined,
  call: CallOptions,
): Promise<void> {
  const removed = await deps.files.lockedThroughout(name, call, async () => {
    const record = deps.files.find(name);
    if (record === undefined || (instance !== undefined && record.instance !== instance)) throw notFound(name);
    assertUnused(deps, name);
    const driver = await deps.drivers.get(record.driver, call);
    await driver.remove(name, call);
    deleteUses(deps, name);
    deps.files.delete(record);
    return record;
  });
  deps.emit({ type: 'volume', action: 'destroy', id: name, attributes: volumeAttributes(removed) });
}

/** Removes one that only its driver knows; false when no driver has it. */
async function removeUnrecorded(deps: StoreDeps, name: string, call: CallOptions): Promise<boolean> {
  const located = await locate(deps, name, call);
  if (located === undefined) return false;
  const scope = await located.driver.scope(call);
  const claimed = await whenSettled(deps, name, call, (record) => {
    if (record !== undefined) return undefined;
    assertUnused(deps, name);
    return begin(deps, adoptedRecord(deps, name, located, scope), 'removing');
  });
  if (claimed === undefined) return false;
  await tellDriver(deps, claimed, call);
  return true;
}

/** Forgets a volume whose driver is not here any more. */
async function dropRecord(deps: StoreDeps, name: string, call: CallOptions): Promise<boolean> {
  return await deps.files.locked(name, call, () => {
    const record = deps.files.find(name);
    if (record === undefined) return false;
    assertUnused(deps, name);
    deleteUses(deps, name);
    deps.files.delete(record);
    return true;
  });
}

/** The caller holds the lock. */
export function deleteUses({ files }: Pick<StoreDeps, 'files'>, name: string): void {
  for (const use of files.uses.list(name)) files.uses.delete(name, use.holder);
}
