import { EngineError, engineError } from '../../errors/index.js';
import type { UserMount, VolumeMountPoint } from '../../spec/index.js';
import { newId } from '../../util/ids.js';
import type { Rollback } from '../../util/rollback.js';
import { type CallOptions, cleanupSignal } from '../../util/signals.js';
import type { ContainerHolder, ContainerVolumes, VolumesSource } from './port.js';

/** A volume of the store that a container uses, as intents and records name it. */
export interface UsedVolume {
  readonly name: string;
  readonly anonymous: boolean;
  readonly driver?: string;
}

/** Gives anonymous volumes their names, before anything is made: what an intent has named, a repair finds. */
export function nameVolumes(mounts: readonly UserMount[]): UserMount[] {
  return mounts.map((mount) => (mount.type === 'volume' && mount.name === '' ? { ...mount, name: newId() } : mount));
}

/** The store's volumes among the mounts, each once. */
export function usedVolumes(mounts: readonly UserMount[]): UsedVolume[] {
  const used = new Map<string, UsedVolume>();
  for (const mount of mounts) {
    if (mount.type !== 'volume' || mount.name === '') continue;
    // One that is mounted twice, by its name and as inherited: the name decides.
    const anonymous = mount.anonymous && used.get(mount.name)?.anonymous !== false;
    used.set(mount.name, { name: mount.name, anonymous, ...(mount.driver !== undefined && { driver: mount.driver }) });
  }
  return [...used.values()];
}

/**
 * Makes or finds each named volume of the mounts and holds it for the container. Returns the mounts with their drivers.
 * What `undo` gets releases all of it again, and removes the anonymous ones that were made.
 */
export async function takeVolumes(
  source: VolumesSource,
  mounts: readonly UserMount[],
  holder: ContainerHolder,
  undo: Rollback,
  call: CallOptions,
): Promise<UserMount[]> {
  if (usedVolumes(mounts).length === 0) return [...mounts];
  const volumes = await source();
  const taken: UserMount[] = [];
  for (const mount of mounts) {
    if (mount.type !== 'volume' || mount.name === '') {
      taken.push(mount);
      continue;
    }
    undo.defer(() => dropVolume(volumes, mount, holder.id));
    taken.push(await takeVolume(volumes, mount, holder, call));
  }
  return taken;
}

async function takeVolume(
  volumes: ContainerVolumes,
  mount: VolumeMountPoint,
  holder: ContainerHolder,
  call: CallOptions,
): Promise<VolumeMountPoint> {
  const { name, anonymous, driver, driverOptions, labels } = mount;
  if (mount.inherited === true) {
    await volumes.hold(name, holder, call);
    return mount;
  }
  const asks = driver !== undefined || driverOptions !== undefined || labels !== undefined;
  const volume = await volumes.create({
    ...call,
    name,
    holder,
    ifExists: anonymous ? 'error' : asks ? 'return-if-equal' : 'return',
    ...(anonymous && { anonymous }),
    ...(driver !== undefined && { driver }),
    ...(driverOptions !== undefined && { options: driverOptions }),
    ...(labels !== undefined && { labels }),
  });
  return { ...mount, driver: volume.driver };
}

/** The undo of `takeVolume`. Idempotent. */
async function dropVolume(volumes: ContainerVolumes, mount: VolumeMountPoint, holderId: string): Promise<void> {
  const call = { signal: cleanupSignal() };
  await volumes.release(mount.name, holderId, call);
  if (mount.anonymous && mount.inherited !== true) await removeUnused(volumes, mount.name, call);
}

/** Ends a container's use of its volumes; failures are collected, the rest is released all the same. */
export async function releaseVolumes(
  source: VolumesSource,
  used: readonly UsedVolume[],
  holderId: string,
  call: CallOptions,
): Promise<void> {
  if (used.length === 0) return;
  const volumes = await source();
  await forEach(used, 'VOLUMES_NOT_RELEASED', 'released', ({ name }) => volumes.release(name, holderId, call));
}

/** Removes the anonymous ones; one that somebody else holds stays for its next user. */
export async function removeAnonymous(
  source: VolumesSource,
  used: readonly UsedVolume[],
  call: CallOptions,
): Promise<void> {
  const anonymous = used.filter((one) => one.anonymous);
  if (anonymous.length === 0) return;
  const volumes = await source();
  await forEach(anonymous, 'VOLUMES_NOT_REMOVED', 'removed', ({ name }) => removeUnused(volumes, name, call));
}

async function removeUnused(volumes: ContainerVolumes, name: string, call: CallOptions): Promise<void> {
  try {
    await volumes.remove(name, call);
  } catch (error) {
    if (!isInUse(error) && !isMissing(error)) throw error;
  }
}

async function forEach(
  used: readonly UsedVolume[],
  reason: 'VOLUMES_NOT_RELEASED' | 'VOLUMES_NOT_REMOVED',
  done: string,
  step: (volume: UsedVolume) => Promise<unknown>,
): Promise<void> {
  const failures: { volume: string; error: unknown }[] = [];
  for (const volume of used) {
    try {
      await step(volume);
    } catch (error) {
      failures.push({ volume: volume.name, error });
    }
  }
  if (failures.length === 0) return;
  const names = failures.map(({ volume }) => volume);
  throw engineError(reason, `volumes ${names.join(', ')} could not be ${done}`, {
    details: { volumes: names, failures: failures.map(({ error }) => String(error)) },
    cause: failures[0]?.error,
  });
}

function isInUse(error: unknown): boolean {
  return EngineError.is(error, 'CONFLICT', 'VOLUME_IN_USE');
}

function isMissing(error: unknown): boolean {
  return EngineError.is(error, 'NOT_FOUND');
}
