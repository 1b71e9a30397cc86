import { closeSync, constants, existsSync, fstatSync, mkdirSync, openSync, readdirSync, writeFileSync } from 'node:fs';
import { engineError, quote } from '../../errors/index.js';
import { openBeneath, unmount } from '../../os/index.js';
import { errnoOf, MS, mount } from '../../os/syscalls/index.js';
import type { VolumeMountPoint } from '../../spec/index.js';

/** Part of a container's run or session directory in which subpaths are bound; the sweeper knows it. */
const BINDS = 'v';

/**
 * Binds a path of a volume to a place in the container's own directory, from which the runtime takes it. The path is
 * walked without following links and bound by descriptor: whoever exchanges directories of the volume meanwhile changes
 * nothing. Gives that place. Throws SUBPATH_NOT_FOUND, SYMLINK_REFUSED, BAD_SUBPATH for what is neither file nor directory.
 */
export function bindSubpath(dir: string, mountpoint: string, volume: VolumeMountPoint): string {
  const subpath = volume.subpath as string;
  const fd = openSubpath(mountpoint, subpath, volume);
  try {
    const stat = fstatSync(fd);
    if (!stat.isDirectory() && !stat.isFile()) {
      throw subpathError('BAD_SUBPATH', volume, 'is neither a file nor a directory');
    }
    mkdirSync(`${dir}/${BINDS}`, { recursive: true, mode: 0o700 });
    const place = `${dir}/${BINDS}/${readdirSync(`${dir}/${BINDS}`).length}`;
    if (stat.isDirectory()) mkdirSync(place, { mode: 0o700 });
    else writeFileSync(place, '', { flag: 'wx', mode: 0o600 });
    mount(`/proc/self/fd/${fd}`, place, null, MS.BIND | MS.REC, null);
    mount('none', place, null, MS.PRIVATE | MS.REC, null);
    return place;
  } finally {
    closeSync(fd);
  }
}

/** Takes the binds away. Idempotent; must come before the directory is deleted, which would reach into the volume. */
export function unbindSubpaths(dir: string): void {
  const binds = `${dir}/${BINDS}`;
  if (!existsSync(binds)) return;
  for (const name of readdirSync(binds)) unmount(`${binds}/${name}`, { lazy: true });
}

function openSubpath(mountpoint: string, subpath: string, volume: VolumeMountPoint): number {
  const root = openSync(mountpoint, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    return openBeneath(root, subpath.split('/'));
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === 'ENOENT' || errno === 'ENOTDIR')
      throw subpathError('SUBPATH_NOT_FOUND', volume, 'does not exist', cause);
    throw cause;
  } finally {
    closeSync(root);
  }
}

function subpathError(
  reason: 'BAD_SUBPATH' | 'SUBPATH_NOT_FOUND',
  volume: VolumeMountPoint,
  why: string,
  cause?: unknown,
) {
  const { field, subpath, name } = volume;
  return engineError(reason, `field ${field}.subpath ${quote(subpath)} ${why} in the volume ${quote(name)}`, {
    details: { field: `${field}.subpath`, value: subpath, volume: name },
    ...(cause === undefined ? {} : { cause }),
  });
}
