import { engineError, quote } from '../../errors/index.js';
import { assertSafeName } from '../../util/ids.js';
import { assertKnownOptions } from '../../util/known-options.js';
import type { CallOptions } from '../../util/signals.js';
import { checkText } from './check-options.js';
import type { StoreDeps } from './deps.js';
import { volumeAttributes } from './events.js';
import { busy } from './failures.js';
import { assertUnused, deleteUses } from './remove-volume.js';
import { opOf } from './settle.js';
import type { ForgetVolumesOptions } from './types.js';
import type { VolumeRecord } from './volume-record.js';

/** What is forgotten: one volume, or all of a driver. */
export type ForgetTarget = { readonly volume: string } | { readonly driver: string };

/**
 * Drops records without calling their driver, for drivers that are gone for good; gives the names. Content stays where
 * it is: a driver that comes back offers it again. Unknown ones are no error. Nothing is forgotten when one of them is
 * held (VOLUME_IN_USE) or worked on (VOLUME_BUSY), unless forced.
 */
export async function forgetVolumes(
  deps: StoreDeps,
  target: ForgetTarget,
  options: ForgetVolumesOptions,
): Promise<string[]> {
  const { force = false, signal } = options;
  const call: CallOptions = signal === undefined ? {} : { signal };
  const names = namesOf(deps, target).sort();
  if (!force) {
    for (const name of names) await deps.files.locked(name, call, () => assertIdle(deps, name));
  }
  const forgotten: string[] = [];
  for (const name of names) {
    const record = await deps.files.locked(name, call, () => forgetLocked(deps, name, force));
    if (record === undefined) continue;
    forgotten.push(name);
    deps.emit({ type: 'volume', action: 'forget', id: name, attributes: volumeAttributes(record) });
  }
  return forgotten;
}

function namesOf(deps: StoreDeps, target: ForgetTarget): string[] {
  assertKnownOptions(target as { volume?: string; driver?: string }, { volume: true, driver: true });
  if ('volume' in target === 'driver' in target) {
    throw engineError('BAD_OPTION', `target ${quote(target)} names neither a volume nor a driver, or both`, {
      details: { field: 'target' },
    });
  }
  if ('volume' in target) {
    assertSafeName('volume', target.volume);
    return [target.volume];
  }
  checkText('driver', target.driver);
  const { records } = deps.files.list();
  return records.filter((record) => deps.drivers.same(record.driver, target.driver)).map((record) => record.name);
}

function assertIdle(deps: StoreDeps, name: string): VolumeRecord | undefined {
  const record = deps.files.find(name);
  if (record === undefined) return undefined;
  assertUnused(deps, name);
  const op = opOf(record.state);
  if (deps.operations.isRunning(op)) throw busy(name, record.state.status, op, 0);
  return record;
}

function forgetLocked(deps: StoreDeps, name: string, force: boolean): VolumeRecord | undefined {
  const record = force ? deps.files.find(name) : assertIdle(deps, name);
  if (record === undefined) return undefined;
  deleteUses(deps, name);
  for (const hold of deps.files.holds.list(name)) deps.files.holds.delete(name, hold.id);
  deps.files.delete(record);
  return record;
}
