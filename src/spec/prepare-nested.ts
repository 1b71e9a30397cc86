import { chmodSync, closeSync, constants, fstatSync, mkdirSync, openSync } from 'node:fs';
import { posix } from 'node:path';
import { engineError, quote } from '../errors/index.js';
import { inDirectory, O_PATH } from '../os/index.js';
import { errnoOf } from '../os/syscalls/index.js';
import type { Mountpoint } from './bind-sources.js';
import { forbiddenTarget } from './container-path.js';
import { badField } from './fail.js';

export interface NestedTarget {
  /** As the caller gave it. */
  readonly target: string;
  /** Where it leads: a place of `mounted`, and names behind it. */
  readonly place: string;
  readonly mountpoint: Mountpoint;
}

/**
 * Makes a mountpoint inside what another mount brings, on the host, before the runtime comes: a runtime that makes it in a
 * directory to which other containers write has been led out of it (CVE-2021-30465, CVE-2024-45310). Each step is taken
 * from a descriptor and follows no link. Gives the place. Throws BAD_MOUNT_TARGET, SYMLINK_REFUSED.
 */
export function prepareNested(nested: NestedTarget, mounted: ReadonlyMap<string, Mountpoint>): string {
  const { target } = nested;
  const names = nested.place.split('/').filter((name) => name !== '' && name !== '.');
  const place = `/${names.join('/')}`;
  // Only a link of the image has it in its text.
  if (names.includes('..')) throw bad(target, 'leads through a mount and out of it again');
  const why = forbiddenTarget(place);
  if (why !== undefined) throw bad(target, `leads to ${place}, which ${why}`);
  let cover = place;
  while (!mounted.has(cover)) cover = posix.dirname(cover);
  const { kind, source, readOnly = false } = mounted.get(cover) as Mountpoint;
  // The very place of a mount is there.
  if (cover === place) return place;
  if (kind === 'file') throw bad(target, `is below the file at ${cover}`);
  if (source === undefined) return place;
  makeBeneath(source, place.slice(cover.length + 1).split('/'), { ...nested, place: cover }, readOnly);
  return place;
}

function makeBeneath(source: string, names: readonly string[], nested: NestedTarget, readOnly: boolean): void {
  let fd = openSync(source, O_PATH | constants.O_DIRECTORY);
  try {
    for (const [n, name] of names.entries()) {
      const isLast = n === names.length - 1;
      const above = fd;
      fd = enter(above, name, isLast ? nested : { ...nested, mountpoint: DIRECTORY }, readOnly);
      closeSync(above);
    }
  } finally {
    closeSync(fd);
  }
}

const DIRECTORY: Mountpoint = { kind: 'directory' };

/** Opens (O_PATH) an entry of an open directory, and makes it first where it is missing. */
function enter(above: number, name: string, nested: NestedTarget, readOnly: boolean): number {
  const { target, place, mountpoint } = nested;
  const { kind, mode = kind === 'directory' ? 0o755 : 0o644 } = mountpoint;
  const path = inDirectory(above, name);
  let fd = openEntry(path);
  const isMissing = fd === undefined;
  if (fd === undefined) {
    if (readOnly) throw bad(target, `does not exist in what is mounted read-only at ${place}`);
    try {
      if (kind === 'directory') mkdirSync(path, { mode });
      else closeSync(openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, mode));
    } catch (cause) {
      if (errnoOf(cause) !== 'EEXIST') throw bad(target, `cannot be made in what is mounted at ${place}`, cause);
    }
    fd = openEntry(path);
    if (fd === undefined) throw bad(target, `was taken away from what is mounted at ${place}`);
  }
  try {
    const stat = fstatSync(fd);
    if (stat.isSymbolicLink()) {
      throw engineError(
        'SYMLINK_REFUSED',
        `field mounts.target ${quote(target)}: ${quote(name)} is a symbolic link in what is mounted at ${quote(place)}`,
        { details: { field: 'mounts.target', value: target, mount: place } },
      );
    }
    if (stat.isDirectory() !== (kind === 'directory')) {
      throw bad(target, `is ${stat.isDirectory() ? 'a directory' : 'no directory'} in what is mounted at ${place}`);
    }
    // Whatever the umask.
    if (isMissing && (stat.mode & 0o7777) !== mode) chmodSync(`/proc/self/fd/${fd}`, mode);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** `undefined` where there is nothing. */
function openEntry(path: Buffer): number | undefined {
  try {
    return openSync(path, O_PATH | constants.O_NOFOLLOW);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function bad(target: string, why: string, cause?: unknown) {
  return badField('BAD_MOUNT_TARGET', 'mounts.target', target, why, cause);
}
