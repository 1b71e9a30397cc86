import { randomInt } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, statSync } from 'node:fs';
import { engineError, quote } from '../../errors/index.js';
import { readMountInfo } from '../../os/index.js';
import {
  enforcesProjectQuota,
  errnoOf,
  limitProject,
  majorOf,
  minorOf,
  type ProjectSpace,
  projectSpace,
  type QuotaTarget,
} from '../../os/syscalls/index.js';
import type { CallOptions } from '../../util/signals.js';
import { adoptTree, hasProject } from './adopt-tree.js';

// Docker and administrators number projects from 1; a random number far above needs no list that processes, roots and
// engines on one file system would have to share.
const FIRST_ID = 2 ** 28;
const LAST_ID = 2 ** 31 - 1;
const TRIES_MAX = 64;

/** A directory whose project can be read and limited; close it. */
export class ProjectQuota implements Disposable {
  readonly #fd: number;
  readonly #target: QuotaTarget;

  private constructor(fd: number, target: QuotaTarget) {
    this.#fd = fd;
    this.#target = target;
  }

  /** Throws LOCAL_VOLUME_NO_QUOTA when the file system of the directory holds no project to a limit. */
  static open(directory: string): ProjectQuota {
    const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      return new ProjectQuota(fd, findTarget(fd, directory));
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  /** An id that nothing on the file system uses. */
  newId(): number {
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const id = randomInt(FIRST_ID, LAST_ID);
      const space = this.space(id);
      if (space === undefined || (space.limitBytes === 0 && space.usedBytes === 0 && space.inodes === 0)) return id;
    }
    throw engineError('LOCAL_VOLUME_NO_QUOTA', `no free project id was found in ${TRIES_MAX} tries`);
  }

  /** Limits a project; what is so already is left alone. */
  limit(id: number, limitBytes: number): void {
    if (this.space(id)?.limitBytes !== roundUp(limitBytes)) limitProject(this.#target, id, limitBytes);
  }

  /**
   * Puts the directory into the project with all that is in it, unless it is; that takes as long as there are files.
   * A volume that was copied here by a tool that knows no projects has lost its own.
   */
  async adopt(id: number, call: CallOptions = {}): Promise<void> {
    if (!hasProject(this.#fd, id)) await adoptTree(this.#fd, id, call);
  }

  /** Takes the limit of a project away, so that its number is free again. */
  free(id: number): void {
    limitProject(this.#target, id, 0);
  }

  space(id: number): ProjectSpace | undefined {
    return projectSpace(this.#target, id);
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / 512) * 512;
}

function findTarget(fd: number, directory: string): QuotaTarget {
  for (const target of [{ fd }, ...deviceTargets(fd)] satisfies QuotaTarget[]) {
    try {
      if (enforcesProjectQuota(target)) return target;
    } catch (error) {
      if (errnoOf(error) === 'EPERM' || errnoOf(error) === 'EACCES') throw error;
    }
  }
  throw noQuota(directory);
}

/** The block device, for kernels before 5.14, which know no quotactl_fd. */
function* deviceTargets(fd: number): Generator<QuotaTarget> {
  const { dev } = fstatSync(fd, { bigint: true });
  const sources = readMountInfo()
    .filter((mount) => mount.source.startsWith('/'))
    .map((mount) => mount.source);
  for (const device of new Set([...sources, `/dev/block/${majorOf(dev)}:${minorOf(dev)}`])) {
    if (statSync(device, { throwIfNoEntry: false, bigint: true })?.rdev === dev) yield { device };
  }
}

function noQuota(directory: string): Error {
  const at = `${directory}/`;
  const mount = readMountInfo()
    .filter(({ mountPoint }) => at.startsWith(mountPoint === '/' ? '/' : `${mountPoint}/`))
    .reduce((best, one) => (one.mountPoint.length >= (best?.mountPoint.length ?? 0) ? one : best));
  const lacks = /^(xfs|ext4)$/.test(mount.fsType) ? 'is not mounted with prjquota' : 'has no project quotas';
  return engineError(
    'LOCAL_VOLUME_NO_QUOTA',
    `option size can't be kept: file system ${mount.fsType} at ${quote(mount.mountPoint)} ${lacks}`,
    { details: { field: 'size', fileSystem: mount.fsType, mountPoint: mount.mountPoint } },
  );
}
