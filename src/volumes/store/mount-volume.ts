import { bootId } from '../../os/process-identity.js';
import { newId } from '../../util/ids.js';
import type { CallOptions } from '../../util/signals.js';
import type { StoreDeps } from './deps.js';
import { mountAttributes } from './events.js';
import { isUncertain, notFound } from './failures.js';
import { addHold, type Holder } from './hold-volume.js';
import { onVolume } from './locate.js';
import { purgeLost } from './lost.js';
import type { Operation, StoreDriver } from './ports.js';
import { Patience } from './settle.js';
import type { MountVolumeOptions, VolumeMount } from './types.js';
import { concludeMount, undoUse } from './unmount-volume.js';
import type { MountFact, Use } from './uses.js';
import type { VolumeRecord } from './volume-record.js';

interface Claimed {
  readonly record: VolumeRecord;
  readonly mount: MountFact & { readonly op: Operation };
  /** What was known of it before. */
  readonly before: MountFact | undefined;
  /** This call added the hold, so its failure takes it away. */
  readonly holdIsNew: boolean;
}

type Step =
  | { readonly claimed: Claimed }
  | { readonly mounted: MountFact; readonly record: VolumeRecord }
  | { readonly running: MountFact }
  | { readonly left: Use };

/**
 * Holds the volume and has its driver mount it for the holder. That the driver is about to be told is on record before
 * it is told. A holder that mounted before has the same mount.
 */
export async function mountVolume(
  deps: StoreDeps,
  name: string,
  holder: Holder,
  options: MountVolumeOptions,
): Promise<VolumeMount> {
  const { signal } = options;
  const call: CallOptions = signal === undefined ? {} : { signal };
  const patience = new Patience(deps);
  for (let trusted = true; ; ) {
    const step = await onVolume(deps, name, call, (record) => claimMount(deps, record, holder, trusted));
    if ('left' in step) await undoUse(deps, name, step.left, call);
    else if ('running' in step) await patience.pause(name, step.running.status, step.running.op, call);
    else if ('claimed' in step) return await tellDriver(deps, step.claimed, options, call);
    else {
      const { mounted, record } = step;
      const driver = await deps.drivers.get(record.driver, call);
      // A plugin counts what it is told, so it is told once. Ours and the host's are asked again: that finds out
      // whether the mount still stands.
      if (driver.source === 'plugin' && driver.generation === mounted.generation)
        return toMount(record, holder, mounted);
      trusted = false;
    }
  }
}

function claimMount(deps: StoreDeps, record: VolumeRecord, holder: Holder, trusted: boolean): Step {
  const { files, operations } = deps;
  const { name } = record;
  const found = files.uses.find(name, holder.id);
  const before = found?.mount;
  if (before !== undefined && operations.isRunning(before.op)) return { running: before };
  const durable = files.holds.has(name, holder.id);
  const held = durable || found?.owner !== undefined;
  const left = addHold(deps, record, holder);
  if (left !== undefined) return { left };
  if (before?.status === 'mounted' && trusted) return { mounted: before, record };
  const op = operations.begin();
  try {
    const mount = { ...before, id: before?.id ?? newId(), status: 'mounting' as const, driver: record.driver, op };
    const use = files.uses.find(name, holder.id) ?? {
      boot: bootId(),
      holder: holder.id,
      kind: holder.kind,
      since: deps.now().toISOString(),
    };
    files.uses.write(name, { ...use, mount });
    return { claimed: { record, mount, before, holdIsNew: !held } };
  } catch (error) {
    operations.end(op);
    if (!held) files.holds.delete(name, holder.id);
    throw error;
  }
}

async function tellDriver(
  deps: StoreDeps,
  { record, mount, before, holdIsNew }: Claimed,
  options: MountVolumeOptions,
  call: CallOptions,
): Promise<VolumeMount> {
  const { name } = record;
  const { op, ...fact } = mount;
  const holder = options.holder.id;
  let driver: StoreDriver | undefined;
  try {
    driver = await deps.drivers.get(record.driver, call);
    const { mountpoint } = await driver.mount({ name, id: mount.id }, call);
    const done: MountFact = { ...fact, status: 'mounted', mountpoint, generation: driver.generation };
    if (!(await concludeMount(deps, name, holder, op, done))) {
      // Forgotten by force while its driver worked: nothing on disk would ever undo it.
      const told = driver;
      deps.background((call) => told.unmount({ name, id: mount.id }, call));
      throw notFound(name);
    }
    deps.emit({ type: 'volume', action: 'mount', id: name, attributes: mountAttributes(record.driver, options) });
    return { name, driver: record.driver, holder, mountpoint, mountId: mount.id };
  } catch (error) {
    const hold = holdIsNew ? 'drop' : 'keep';
    if (driver !== undefined && isUncertain(error)) {
      // It may be mounted now, or in a while.
      await concludeMount(deps, name, holder, op, { ...fact, status: 'unmounting' }, hold);
      if (holdIsNew) deps.background((call) => undoOf(deps, name, holder, call));
    } else {
      await concludeMount(deps, name, holder, op, before && withoutOperation(before), hold);
      if (driver !== undefined) await purgeIfLost(deps, record, driver, call);
    }
    throw error;
  } finally {
    deps.operations.end(op);
  }
}

async function undoOf(deps: StoreDeps, name: string, holder: string, call: CallOptions): Promise<void> {
  const use = deps.files.uses.find(name, holder);
  if (use !== undefined) await undoUse(deps, name, use, call);
}

/** A mount may fail because the volume is gone; then that is what the caller gets to know. */
async function purgeIfLost(
  deps: StoreDeps,
  record: VolumeRecord,
  driver: StoreDriver,
  call: CallOptions,
): Promise<void> {
  const answer = await driver.get(record.name, call).catch(() => 'unknown');
  if (answer !== undefined) return;
  await purgeLost(deps, record);
  throw notFound(record.name);
}

function withoutOperation({ op: _, ...fact }: MountFact): MountFact {
  return fact;
}

function toMount(record: VolumeRecord, holder: Holder, fact: MountFact): VolumeMount {
  const { name, driver } = record;
  return { name, driver, holder: holder.id, mountpoint: fact.mountpoint as string, mountId: fact.id };
}
