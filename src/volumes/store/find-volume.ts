import { assertSafeName } from '../../util/ids.js';
import type { CallOptions } from '../../util/signals.js';
import type { DriverVolume } from '../volume-driver.js';
import type { StoreDeps } from './deps.js';
import { listHolders } from './holders.js';
import { adoptedRecord, locate } from './locate.js';
import { purgeLost } from './lost.js';
import type { Volume, VolumeInspection } from './types.js';
import type { VolumeRecord } from './volume-record.js';

interface Found {
  readonly record: VolumeRecord;
  readonly recorded: boolean;
  readonly answer: DriverVolume;
}

/** The volume, as its driver has it now. `undefined` when it does not exist for sure; VOLUME_LOST when holders need it. */
export async function findVolume(deps: StoreDeps, name: string, call: CallOptions): Promise<Volume | undefined> {
  const found = await ask(deps, name, call);
  return found === undefined ? undefined : toVolume(found.record, found.recorded, found.answer);
}

export async function inspectVolume(
  deps: StoreDeps,
  name: string,
  call: CallOptions,
): Promise<VolumeInspection | undefined> {
  const found = await ask(deps, name, call);
  if (found === undefined) return undefined;
  const volume = toVolume(found.record, found.recorded, found.answer);
  return { ...volume, status: found.answer.status ?? {}, holders: listHolders(deps, name) };
}

async function ask(deps: StoreDeps, name: string, call: CallOptions): Promise<Found | undefined> {
  assertSafeName('volume name', name);
  const record = deps.files.find(name);
  if (record === undefined) {
    const located = await locate(deps, name, call);
    if (located === undefined) return undefined;
    const scope = await located.driver.scope(call);
    return { record: adoptedRecord(deps, name, located, scope), recorded: false, answer: located.found };
  }
  // It does not exist before its creation is acknowledged.
  if (record.state.status === 'creating') return undefined;
  const driver = await deps.drivers.get(record.driver, call);
  const answer = await driver.get(name, call);
  if (answer !== undefined) return { record, recorded: true, answer };
  await purgeLost(deps, record);
  return undefined;
}

/** A record as callers see it, with what its driver told. */
export function toVolume(record: VolumeRecord, recorded: boolean, answer?: DriverVolume): Volume {
  const { name, driver, scope, options, labels, anonymous, createdAt } = record;
  return {
    name,
    driver,
    scope,
    options,
    labels,
    anonymous,
    recorded,
    createdAt: new Date(createdAt),
    mountpoint: answer?.mountpoint,
  };
}
