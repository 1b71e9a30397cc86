import { newToken } from '../../util/ids.js';
import { type CallOptions, throwIfAborted } from '../../util/signals.js';
import type { DriverVolume } from '../volume-driver.js';
import type { StoreDeps } from './deps.js';
import { getOrRefused, notFound } from './failures.js';
import type { StoreDriver } from './ports.js';
import { whenSettled } from './settle.js';
import type { VolumeRecord } from './volume-record.js';

/** A volume that a driver has, whether or not it is recorded. */
export interface Located {
  readonly driver: StoreDriver;
  readonly found: DriverVolume;
}

/**
 * Asks all drivers for a name that is not recorded; the first in their order wins. `undefined` when none has it for
 * sure. When none has it and some can't be asked, throws what the first of those threw.
 */
export async function locate(deps: StoreDeps, name: string, call: CallOptions): Promise<Located | undefined> {
  const { drivers, problems } = await deps.drivers.all(call);
  const answers = await Promise.allSettled(drivers.map((driver) => getOrRefused(driver, name, call)));
  throwIfAborted(call.signal);
  for (const [index, answer] of answers.entries()) {
    if (answer.status === 'fulfilled' && answer.value !== undefined) {
      return { driver: drivers[index] as StoreDriver, found: answer.value };
    }
  }
  const failed = answers.find((answer) => answer.status === 'rejected');
  const error = failed === undefined ? problems[0]?.error : (failed.reason as Error);
  if (error !== undefined) throw error;
  return undefined;
}

/** The record of a volume that a driver has and that was not used through this root before. */
export function adoptedRecord(
  deps: StoreDeps,
  name: string,
  located: Located,
  scope: 'local' | 'global',
): VolumeRecord {
  return {
    name,
    instance: newToken(),
    driver: located.driver.name,
    scope,
    options: Object.create(null) as Record<string, string>,
    labels: Object.create(null) as Record<string, string>,
    anonymous: false,
    createdAt: (located.found.createdAt ?? deps.now()).toISOString(),
    state: { status: 'ready' },
  };
}

/**
 * Runs `work` under the lock of a volume that is recorded and ready; one that only a driver knows is recorded first.
 * Throws VOLUME_NOT_FOUND.
 */
export async function onVolume<T>(
  deps: StoreDeps,
  name: string,
  call: CallOptions,
  work: (record: VolumeRecord) => T,
): Promise<T> {
  const step = await whenSettled(deps, name, call, (record) =>
    record === undefined ? undefined : { result: work(record) },
  );
  if (step !== undefined) return step.result;
  const located = await locate(deps, name, call);
  if (located === undefined) throw notFound(name);
  const scope = await located.driver.scope(call);
  return await whenSettled(deps, name, call, (record) => {
    if (record !== undefined) return work(record);
    const adopted = adoptedRecord(deps, name, located, scope);
    deps.files.write(adopted);
    return work(adopted);
  });
}
