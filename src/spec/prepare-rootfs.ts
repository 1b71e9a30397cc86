import { chmodSync, closeSync, constants, fchmodSync, lstatSync, mkdirSync, openSync } from 'node:fs';
import { posix } from 'node:path';
import type { Mountpoint } from './bind-sources.js';
import { forbiddenTarget, isAtOrUnder } from './container-path.js';
import { badField } from './fail.js';
import { type Located, locateInRoot } from './locate-in-root.js';
import { prepareNested } from './prepare-nested.js';

export interface RootfsNeeds {
  /** `process.cwd` of the spec. */
  readonly workingDir: string;
  /** By normal target: from `resolveBindSources`, and the container's files. */
  readonly mountpoints?: ReadonlyMap<string, Mountpoint>;
}

/**
 * Makes the working directory and the mountpoints that are not there (root's, 0755), so that the runtime has nothing to
 * make. Those of the image are resolved inside its root; the tree must be still: nobody else may write to it. Those that
 * lie in another mount are made in its source, where others may write: there no link is followed. In a tmpfs, which is
 * new, the runtime makes them. Idempotent. Throws BAD_WORKING_DIR, BAD_MOUNT_TARGET, SYMLINK_REFUSED.
 */
export function prepareRootfs(rootfsPath: string, { workingDir, mountpoints }: RootfsNeeds): void {
  const targets = mountpoints === undefined ? [] : [...mountpoints];
  // By the place in the container to which a target leads; grows in the order of the mounts.
  const mounted = new Map<string, Mountpoint>();
  for (const [target, mountpoint] of targets) {
    if (isAtOrUnder(target, '/dev')) continue;
    mounted.set(prepareMountpoint(rootfsPath, target, mountpoint, mounted), mountpoint);
  }
  const underMount = targets.some(([target]) => isAtOrUnder(workingDir, target));
  if (workingDir !== '/' && !underMount && !isAtOrUnder(workingDir, '/dev')) prepareWorkingDir(rootfsPath, workingDir);
}

function prepareWorkingDir(root: string, workingDir: string): void {
  const located = locateInRoot(root, workingDir);
  const why = workingDirFault(located);
  if (why !== undefined) throw badField('BAD_WORKING_DIR', 'workingDir', workingDir, why);
  if (located.kind === 'missing') makeDirectory(located.path);
}

function workingDirFault(located: Located): string | undefined {
  if (located.climbed) return 'goes through a symbolic link out of the root';
  if (located.dangling) return 'goes through a symbolic link that leads nowhere in the image';
  if (isAtOrUnder(located.inner, '/proc') || isAtOrUnder(located.inner, '/sys')) return 'leads to /proc or /sys';
  if (located.kind === 'loop') return 'is a loop of symbolic links';
  return located.kind === 'file' || located.kind === 'other' ? 'is not a directory in the image' : undefined;
}

/** Gives the place in the container to which the target leads. */
function prepareMountpoint(
  root: string,
  target: string,
  mountpoint: Mountpoint,
  mounted: ReadonlyMap<string, Mountpoint>,
): string {
  const { kind, mode, forceMode } = mountpoint;
  const located = locateInRoot(root, target, mounted);
  const bad = (why: string) => badField('BAD_MOUNT_TARGET', 'mounts.target', target, why);
  const why = located.inner === target ? undefined : forbiddenTarget(located.inner);
  if (why !== undefined) throw bad(`leads to ${located.inner}, which ${why}`);
  if (located.kind === 'loop') throw bad('is a loop of symbolic links');
  if (located.covered) return prepareNested({ target, place: located.inner, mountpoint }, mounted);
  if (located.kind === 'missing') {
    if (kind === 'directory') makeDirectory(located.path);
    else makeFile(located.path);
    if (mode !== undefined) chmodSync(located.path, mode);
  } else if ((located.kind === 'directory') !== (kind === 'directory')) {
    throw bad(
      `is ${located.kind === 'directory' ? 'a directory' : 'no directory'} in the image and the source a ${kind}`,
    );
  } else if (forceMode === true && mode !== undefined) {
    if ((lstatSync(located.path).mode & 0o7777) !== mode) chmodSync(located.path, mode);
  }
  return located.inner;
}

/** Makes what is missing of `path`, 0755 whatever the umask. */
function makeDirectory(path: string): void {
  const first = mkdirSync(path, { recursive: true, mode: 0o755 });
  if (first === undefined) return;
  for (let made = path; made.length >= first.length; made = posix.dirname(made)) chmodSync(made, 0o755);
}

function makeFile(path: string): void {
  makeDirectory(posix.dirname(path));
  const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o644);
  fchmodSync(fd, 0o644);
  closeSync(fd);
}
