import { newId, newToken } from '../../util/ids.js';
import { type CallOptions, cleanupSignal, raceSignal, throwIfAborted } from '../../util/signals.js';
import { assertWanted, type WantedVolume } from './compare.js';
import type { StoreDeps } from './deps.js';
import { volumeAttributes } from './events.js';
import { isUncertain, notFound } from './failures.js';
import { toVolume } from './find-volume.js';
import { addHold } from './hold-volume.js';
import { adoptedRecord, type Located } from './locate.js';
import { purgeLost } from './lost.js';
import type { StoreDriver } from './ports.js';
import { begin, type ClaimedRecord, conclude, whenSettled } from './settle.js';
import type { Volume } from './types.js';
import { undoUse } from './unmount-volume.js';
import type { VolumeRecord } from './volume-record.js';

/**
 * Makes a volume, or finds the one that has the name. Of several processes that make the same one at once exactly one
 * does. What its driver already has is recorded with the wanted options and labels: those of its own making are not
 * known here.
 */
export async function createVolume(deps: StoreDeps, wanted: WantedVolume, call: CallOptions): Promise<Volume> {
  const name = wanted.name ?? newId();
  for (;;) {
    throwIfAborted(call.signal);
    const existing = await whenSettled(deps, name, call, (record) => record);
    if (existing !== undefined) {
      const volume = await takeExisting(deps, existing, wanted, call);
      if (volume !== undefined) return volume;
      continue;
    }
    const located = await lookFor(deps, name, wanted, call);
    const volume = await (located.found === undefined
      ? make(deps, name, located.driver, wanted, call)
      : adopt(deps, { driver: located.driver, found: located.found }, wanted, call));
    if (volume !== undefined) return volume;
  }
}

/** `undefined` when it is gone after all. */
async function takeExisting(
  deps: StoreDeps,
  existing: VolumeRecord,
  wanted: WantedVolume,
  call: CallOptions,
): Promise<Volume | undefined> {
  assertWanted(deps.drivers, existing, wanted);
  const driver = await deps.drivers.get(existing.driver, call);
  const answer = await driver.get(existing.name, call);
  if (answer === undefined) {
    await purgeLost(deps, existing);
    return undefined;
  }
  const held = await holdSame(deps, existing, wanted, call);
  return held ? toVolume(existing, true, answer) : undefined;
}

/** False when the volume is another one by now. */
async function holdSame(
  deps: StoreDeps,
  existing: VolumeRecord,
  { holder }: WantedVolume,
  call: CallOptions,
): Promise<boolean> {
  for (;;) {
    const step = await whenSettled(deps, existing.name, call, (record) => {
      if (record?.instance !== existing.instance) return false;
      return (holder && addHold(deps, record, holder)) ?? true;
    });
    if (typeof step === 'boolean') return step;
    await undoUse(deps, existing.name, step, call);
  }
}

/**
 * The driver that is to make a volume, with the volume when it has it already. Without a driver by name all that can
 * be asked soon are asked whether they have it: one that fails keeps nobody from making a volume of another.
 */
async function lookFor(
  deps: StoreDeps,
  name: string,
  wanted: WantedVolume,
  call: CallOptions,
): Promise<{ readonly driver: StoreDriver; readonly found: Located['found'] | undefined }> {
  const driver = await deps.drivers.get(wanted.driver ?? 'local', call);
  // A random name that was just made up is nowhere.
  const found = wanted.name === undefined ? undefined : await driver.get(name, call);
  if (wanted.name === undefined || wanted.driver !== undefined || found !== undefined) return { driver, found };
  const other = await probe(deps, name, driver, call);
  return other ?? { driver, found };
}

/** The first of the other drivers that says in time that it has the name. */
async function probe(deps: StoreDeps, name: string, own: StoreDriver, call: CallOptions): Promise<Located | undefined> {
  const late = new AbortController();
  // allow timer: a caller waits for it, and `finally` clears it
  const timer = setTimeout(() => late.abort(), deps.probeTimeoutMs);
  const signal = call.signal === undefined ? late.signal : AbortSignal.any([call.signal, late.signal]);
  try {
    const { drivers } = await raceSignal(deps.drivers.all({ signal }), signal);
    const asked = drivers.filter((driver) => !deps.drivers.same(driver.name, own.name));
    const answers = await Promise.allSettled(asked.map((one) => raceSignal(one.get(name, { signal }), signal)));
    throwIfAborted(call.signal);
    for (const [index, answer] of answers.entries()) {
      const found = answer.status === 'fulfilled' ? answer.value : undefined;
      if (found !== undefined) return { driver: asked[index] as StoreDriver, found };
    }
  } catch {
    throwIfAborted(call.signal);
  } finally {
    clearTimeout(timer);
  }
  return undefined;
}

/** `undefined` when another process was first. */
async function adopt(
  deps: StoreDeps,
  located: Located,
  wanted: WantedVolume,
  call: CallOptions,
): Promise<Volume | undefined> {
  const { name } = located.found;
  const { options, labels, anonymous } = wanted;
  const scope = await located.driver.scope(call);
  const record = { ...adoptedRecord(deps, wanted.name ?? name, located, scope), options, labels, anonymous };
  assertWanted(deps.drivers, record, wanted);
  const written = await whenSettled(deps, record.name, call, (current) => {
    if (current !== undefined) return false;
    deps.files.write(record);
    return true;
  });
  if (!written || !(await holdSame(deps, record, wanted, call))) return undefined;
  return toVolume(record, true, located.found);
}

/** `undefined` when another process was first. */
async function make(
  deps: StoreDeps,
  name: string,
  driver: StoreDriver,
  wanted: WantedVolume,
  call: CallOptions,
): Promise<Volume | undefined> {
  const { options, labels, anonymous, holder } = wanted;
  const record: VolumeRecord = {
    name,
    instance: newToken(),
    driver: driver.name,
    scope: await driver.scope(call),
    options,
    labels,
    anonymous,
    ...(anonymous && holder?.owner !== undefined && { owner: holder.owner }),
    createdAt: deps.now().toISOString(),
    state: { status: 'ready' },
  };
  const claimed = await whenSettled(deps, name, call, (current) =>
    current === undefined ? begin(deps, record, 'creating') : undefined,
  );
  if (claimed === undefined) return undefined;
  let made = false;
  try {
    if (record.owner !== undefined) deps.volatile.add(name);
    await driver.create({ name, options }, call);
    made = true;
    const done = await conclude(deps, claimed, { status: 'ready' }, () => {
      if (holder !== undefined) addHold(deps, record, holder);
    });
    if (!done) throw notFound(name);
  } catch (error) {
    await cleanUp(deps, claimed, driver, made ? 'made' : isUncertain(error) ? 'uncertain' : 'not-made');
    throw error;
  } finally {
    deps.volatile.delete(name);
  }
  deps.operations.end(claimed.state.op);
  deps.emit({ type: 'volume', action: 'create', id: name, attributes: volumeAttributes(record) });
  return toVolume(record, true);
}

/** After a failed creation. What the driver made, or may still be making, is removed: it had nothing of that name. */
async function cleanUp(
  deps: StoreDeps,
  claimed: ClaimedRecord,
  driver: StoreDriver,
  outcome: 'made' | 'uncertain' | 'not-made',
): Promise<void> {
  const { op, ...unowned } = claimed.state;
  const undo = async (call: CallOptions): Promise<void> => {
    try {
      if (outcome !== 'not-made') await driver.remove(claimed.name, call);
      await conclude(deps, claimed, undefined);
    } catch {
      // Whoever needs the name takes the work over.
      await conclude(deps, claimed, unowned).catch(() => {});
    } finally {
      deps.operations.end(op);
    }
  };
  // The caller has waited for this driver long enough.
  if (outcome === 'uncertain') deps.background(undo);
  else await undo({ signal: cleanupSignal() });
}
