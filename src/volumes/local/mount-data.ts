import { closeSync, constants, openSync, readlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { EngineError, engineError, quote } from '../../errors/index.js';
import { readMountInfo } from '../../os/index.js';
import { errnoOf, MNT_DETACH, type MountCall, MS, UMOUNT_NOFOLLOW } from '../../os/syscalls/index.js';
import { openDirectoryBeneath } from '../../os/trees/open-directory-beneath.js';
import { cleanupSignal, throwIfAborted } from '../../util/signals.js';
import { explainFailure, MOUNT_DATA_MAX, mountError } from './mount-error.js';
import { bindFlags, flagsOfMount, type MountWords, parseMountWords } from './mount-words.js';
import type { LocalVolumeOptions } from './options.js';
import { type MountWork, performCalls } from './perform-calls.js';
import { type ResolveAddress, resolveAddresses } from './resolve-addresses.js';
import { DATA, type VolumeDirectory } from './volume-directory.js';

/** A mount that writes out its changes to a server or disk for longer than this is detached. */
const UNMOUNT_MS = 20_000;
// Somebody who renames all the time can spoil a look, not a hundred.
const TRIES_MAX = 100;

/** True when something is mounted at exactly this path, says the kernel. Never asks what is mounted there. */
export function isMountPoint(path: string): boolean {
  return readMountInfo().some((one) => one.mountPoint === path);
}

/**
 * Mounts what the volume's options say on its `_data`, where nothing may be mounted yet. The caller has its lock. What
 * fails, or is ended, leaves nothing mounted.
 */
export async function mountData(
  deps: { readonly dir: string; readonly resolveAddress: ResolveAddress },
  volume: VolumeDirectory,
  options: LocalVolumeOptions,
  work: MountWork,
): Promise<void> {
  const words = parseMountWords(options.o);
  const data = (await resolveAddresses({ ...options, data: words.data }, deps.resolveAddress, work)).join(',');
  if (Buffer.byteLength(data) > MOUNT_DATA_MAX) throw mountError(volume.name, options, 'E2BIG');
  throwIfAborted(work.signal);
  const bind = (words.flags & MS.BIND) !== 0;
  // The directory itself, not its path: nobody can put another in its place between the look and the mount.
  const directory = openData(deps.dir, volume);
  try {
    const type = bind ? null : options.type;
    const flags = bind ? words.flags & (MS.BIND | MS.REC) : words.flags;
    const call = (fd: number): MountCall[] => [
      ['mount', options.device, `/proc/self/fd/${fd}`, type, flags, data === '' ? null : data],
    ];
    await performCalls(work, call, directory);
    await finishMount(volume, words, directory, work);
  } catch (error) {
    await undoMount(directory, work);
    throw work.signal?.aborted ? error : explainFailure(volume.name, options, error);
  } finally {
    closeSync(directory);
  }
}

async function finishMount(volume: VolumeDirectory, words: MountWords, fd: number, work: MountWork): Promise<void> {
  const { mountpoint: path } = volume;
  // From now on the kernel lets nobody rename it, except who had begun to.
  const made = readMountInfo().findLast((one) => one.mountPoint === path);
  if (pathOf(fd) !== path || made === undefined) throw unsafe(volume, 'was moved away while it was mounted');
  const current = flagsOfMount(made.options);
  const flags = bindFlags(words, current);
  const calls: MountCall[] = [];
  // The kernel ignores all other flags of a bind mount's first call, and forgets those of its source at the second.
  if (words.flags & MS.BIND && flags !== current)
    calls.push(['mount', 'none', path, null, MS.REMOUNT | MS.BIND | flags, null]);
  for (const change of words.propagation) calls.push(['mount', 'none', path, null, change, null]);
  if (calls.length > 0) await performCalls(work, () => calls);
}

/** Takes away what was mounted on an open directory of the volume, whatever it is called by now. */
async function undoMount(fd: number, work: MountWork): Promise<void> {
  try {
    await unmountData(dirname(pathOf(fd)), { ...work, signal: cleanupSignal() });
  } catch {
    // The next who mounts the volume takes it over, and who removes the volume takes it away.
  }
}

/**
 * Takes away what is mounted in the volume's own directory: on `_data`, and on what was `_data` when the kernel mounted it
 * beside a rename. Nothing there is fine. What is in use is detached: it goes at its last use. So is what can't be
 * written out in time. The caller has the volume's lock. Throws CANCELED, TIMED_OUT, LOCAL_VOLUME_MOUNT_PENDING.
 */
export async function unmountData(volumePath: string, work: MountWork): Promise<void> {
  const timeoutMs = Math.min(UNMOUNT_MS, work.timeoutMs);
  let how: Unmounting = 'plain';
  let tries = 0;
  for (let at = findMount(volumePath); at !== undefined; at = findMount(volumePath)) {
    const calls = unmountCalls(at, how);
    try {
      await performCalls({ ...work, timeoutMs }, () => calls);
      how = 'plain';
    } catch (error) {
      const errno = errnoOf(error);
      const late = EngineError.is(error, undefined, 'TIMED_OUT') && work.signal?.aborted !== true;
      const moved = errno === 'EINVAL' || errno === 'ENOENT';
      if (late && how !== 'detach') how = 'detach';
      else if (errno === 'EBUSY' && how === 'plain') how = 'part and detach';
      else if (!(moved && ++tries < TRIES_MAX) && (!late || findMount(volumePath) !== undefined)) throw error;
    }
  }
}

type Unmounting = 'plain' | 'part and detach' | 'detach';

function findMount(volumePath: string): string | undefined {
  return readMountInfo().findLast((one) => dirname(one.mountPoint) === volumePath)?.mountPoint;
}

function unmountCalls(at: string, how: Unmounting): MountCall[] {
  if (how === 'plain') return [['umount2', at, UMOUNT_NOFOLLOW]];
  const detach: MountCall = ['umount2', at, UMOUNT_NOFOLLOW | MNT_DETACH];
  // A recursive bind may share its inner mounts with their source: detaching them must not reach the host's own.
  return how === 'detach' ? [detach] : [['mount', 'none', at, null, MS.REC | MS.PRIVATE, null], detach];
}

function openData(dir: string, volume: VolumeDirectory): number {
  const root = openSync(dir, constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    return openDirectoryBeneath(root, `${volume.name}/${DATA}`, { pathOnly: true });
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'EXDEV'].includes(errnoOf(error) ?? ''))
      throw unsafe(volume, 'is no directory any more');
    throw error;
  } finally {
    closeSync(root);
  }
}

function pathOf(fd: number): string {
  return readlinkSync(`/proc/self/fd/${fd}`);
}

function unsafe({ name, mountpoint: path }: VolumeDirectory, why: string): Error {
  return engineError('LOCAL_VOLUME_UNSAFE', `${quote(path)} ${why}`, { details: { name, path } });
}
