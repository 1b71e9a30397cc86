import { closeSync, constants, openSync } from 'node:fs';
import { engineError, quote } from '../../errors/index.js';
import { readMountInfo } from '../../os/index.js';
import { errnoOf, MNT_DETACH, MS, mount, UMOUNT_NOFOLLOW, umount } from '../../os/syscalls/index.js';
import { openDirectoryBeneath } from '../../os/trees/open-directory-beneath.js';
import { type CallOptions, throwIfAborted } from '../../util/signals.js';
import { bindFlags, flagsOfMount, parseMountWords } from './mount-words.js';
import type { LocalVolumeOptions } from './options.js';
import { type ResolveAddress, resolveAddresses } from './resolve-addresses.js';
import { maskSecrets } from './secrets.js';
import { DATA, type VolumeDirectory } from './volume-directory.js';

const MOUNT_DATA_MAX = 4095;
const UNREACHABLE = new Set(['ETIMEDOUT', 'ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENOTCONN']);

/** True when something is mounted at exactly this path, says the kernel. Never asks what is mounted there. */
export function isMountPoint(path: string): boolean {
  return readMountInfo().some((one) => one.mountPoint === path);
}

/** Mounts what the volume's options say on its `_data`, where nothing may be mounted yet. The caller has its lock. */
export async function mountData(
  deps: { readonly dir: string; readonly resolveAddress: ResolveAddress },
  volume: VolumeDirectory,
  options: LocalVolumeOptions,
  call: CallOptions,
): Promise<void> {
  const words = parseMountWords(options.o);
  const data = (await resolveAddresses({ ...options, data: words.data }, deps.resolveAddress, call)).join(',');
  if (Buffer.byteLength(data) > MOUNT_DATA_MAX) throw mountError(volume, options, 'E2BIG');
  throwIfAborted(call.signal);
  const { mountpoint } = volume;
  const bind = (words.flags & MS.BIND) !== 0;
  attempt(volume, options, () => {
    // The directory itself, not its path: nobody can put another in its place between the look and the mount.
    withDataDirectory(deps.dir, volume.name, (target) =>
      mount(
        options.device,
        target,
        bind ? null : options.type,
        bind ? words.flags & (MS.BIND | MS.REC) : words.flags,
        data === '' ? null : data,
      ),
    );
  });
  try {
    attempt(volume, options, () => {
      const made = readMountInfo().findLast((one) => one.mountPoint === mountpoint);
      if (made === undefined) throw engineError('LOCAL_VOLUME_UNSAFE', `${quote(mountpoint)} was moved away`);
      const flags = bindFlags(words, flagsOfMount(made.options));
      // The kernel ignores all other flags of a bind mount's first call, and forgets those of its source at the second.
      if (bind && flags !== flagsOfMount(made.options)) {
        mount('none', mountpoint, null, MS.REMOUNT | MS.BIND | flags, null);
      }
      for (const change of words.propagation) mount('none', mountpoint, null, change, null);
    });
  } catch (error) {
    unmountData(mountpoint);
    throw error;
  }
}

/**
 * Takes away what is mounted on `_data`; nothing there is fine. What is in use is detached: it goes at its last use.
 * The caller has the volume's lock.
 */
export function unmountData(mountpoint: string): void {
  for (;;) {
    try {
      umount(mountpoint, UMOUNT_NOFOLLOW);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === 'EINVAL' || errno === 'ENOENT') return;
      if (errno !== 'EBUSY') throw error;
      // A recursive bind may share its inner mounts with their source: detaching them must not reach the host's own.
      mount('none', mountpoint, null, MS.REC | MS.PRIVATE, null);
      umount(mountpoint, UMOUNT_NOFOLLOW | MNT_DETACH);
    }
  }
}

function withDataDirectory(dir: string, name: string, use: (target: string) => void): void {
  const root = openSync(dir, constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    const fd = openDirectoryBeneath(root, `${name}/${DATA}`, { pathOnly: true });
    try {
      use(`/proc/self/fd/${fd}`);
    } finally {
      closeSync(fd);
    }
  } finally {
    closeSync(root);
  }
}

/** The error of a system call has all its arguments in it, passwords included: none of it may get out. */
function attempt(volume: VolumeDirectory, options: LocalVolumeOptions, step: () => void): void {
  try {
    step();
  } catch (error) {
    const details = (error as { details?: { syscall?: unknown; errno?: unknown } }).details;
    if (details?.syscall === 'mount' && typeof details.errno === 'string') {
      throw mountError(volume, options, details.errno);
    }
    throw error;
  }
}

function mountError({ name }: VolumeDirectory, options: LocalVolumeOptions, errno: string): Error {
  const device = maskSecrets(options.device);
  const o = maskSecrets(options.o);
  const message =
    `volume ${quote(name)}: mounting device ${quote(device)} as type ${quote(options.type)}` +
    `${o === '' ? '' : ` with options ${quote(o)}`} failed with ${errno}${explain(errno, options)}`;
  return engineError('LOCAL_VOLUME_MOUNT_FAILED', message, {
    details: { name, type: options.type, device, o, errno, retryable: UNREACHABLE.has(errno) },
  });
}

function explain(errno: string, options: LocalVolumeOptions): string {
  switch (errno) {
    case 'ENODEV':
      return ` (the kernel knows no file system ${quote(options.type)})`;
    case 'ENOENT':
      return ' (the device, or a path in the options, does not exist)';
    case 'ENOTBLK':
      return ' (the device is no block device)';
    case 'ENOTDIR':
      return ' (the device is no directory)';
    case 'EUCLEAN':
      return ' (the file system of the device is damaged)';
    case 'EINVAL':
      return ' (an option that the file system does not know, or a device that has no such file system)';
    case 'EPERM':
    case 'EACCES':
      return ' (not permitted)';
    case 'E2BIG':
      return ` (more than ${MOUNT_DATA_MAX} bytes of options)`;
    default:
      return '';
  }
}
