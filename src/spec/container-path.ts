import { posix } from 'node:path';
import type { Reason } from '../errors/index.js';
import { badField } from './fail.js';

/** Longest path that the kernel takes. */
const PATH_MAX = 4095;

/** /proc files that a bind may cover, as container file systems for procfs (lxcfs) do; all else of /proc steers the kernel. */
const SAFE_PROC_FILES = new Set(
  ['cpuinfo', 'diskstats', 'loadavg', 'meminfo', 'slabinfo', 'stat', 'swaps', 'uptime'].map((name) => `/proc/${name}`),
);

/** What every container has in /dev; a mount over one of these would redirect the runtime's own mounts (CVE-2025-31133, -52565). */
const DEV_NODES = ['console', 'fd', 'full', 'null', 'ptmx', 'pts', 'random', 'stderr', 'stdin', 'stdout', 'tty'];
const DEV_OWN: readonly string[] = [...DEV_NODES, 'urandom', 'zero'].map((name) => `/dev/${name}`);

/** True for a path equal to `top` or below it. */
export function isAtOrUnder(path: string, top: string): boolean {
  return path === top || path.startsWith(`${top}/`);
}

/**
 * A path of the container in its one normal form: absolute, no `.`, no doubled or trailing slash. `..` is refused rather
 * than folded: what it means depends on symbolic links that the image holds.
 */
export function normalContainerPath(reason: Reason, field: string, path: unknown): string {
  if (typeof path !== 'string') throw badField(reason, field, path, 'is not a string');
  if (!path.startsWith('/')) throw badField(reason, field, path, 'is not an absolute path');
  if (path.includes('\0')) throw badField(reason, field, path, 'has a NUL byte');
  if (path.length > PATH_MAX) throw badField(reason, field, path, `is longer than ${PATH_MAX} bytes`);
  if (path.includes('/..') && path.split('/').includes('..')) throw badField(reason, field, path, 'contains ".."');
  const normal = posix.normalize(path);
  return normal.length > 1 && normal.endsWith('/') ? normal.slice(0, -1) : normal;
}

/** Normalises a mount target and refuses the places that belong to the runtime. Throws BAD_MOUNT_TARGET. */
export function checkMountTarget(field: string, target: unknown): string {
  const path = normalContainerPath('BAD_MOUNT_TARGET', field, target);
  const why = forbiddenTarget(path);
  if (why !== undefined) throw badField('BAD_MOUNT_TARGET', field, target, why);
  return path;
}

/** Why nothing may be mounted at this normal path; `undefined` when it may. */
export function forbiddenTarget(path: string): string | undefined {
  if (path === '/') return 'is the root of the container';
  if (isAtOrUnder(path, '/proc') && !SAFE_PROC_FILES.has(path)) return 'is at or under /proc';
  if (isAtOrUnder(path, '/sys')) return 'is at or under /sys';
  if (path === '/dev') return "is the container's own /dev";
  const own = DEV_OWN.find((node) => isAtOrUnder(path, node));
  return own === undefined ? undefined : `is at or under ${own}, which the container has of its own`;
}

/** A working directory: absolute, normal, not in the kernel's file systems (CVE-2024-21626). Throws BAD_WORKING_DIR. */
export function checkWorkingDir(field: string, path: unknown): string {
  const normal = normalContainerPath('BAD_WORKING_DIR', field, path);
  if (isAtOrUnder(normal, '/proc') || isAtOrUnder(normal, '/sys')) {
    throw badField('BAD_WORKING_DIR', field, path, 'is at or under /proc or /sys');
  }
  return normal;
}

/** True for a device node that every container gets from its runtime. */
export function isDefaultDevice(path: string): boolean {
  return DEV_OWN.includes(path);
}
