import { mkdirSync, realpathSync, statSync } from 'node:fs';
import type { UserMount } from './collect-mounts.js';
import { badField } from './fail.js';

/** What a bind mount brings: the runtime needs a mountpoint of the same kind. */
export type MountKind = 'directory' | 'file';

export interface ResolvedMounts {
  /** The same mounts; sources of binds are real paths. */
  readonly mounts: UserMount[];
  readonly kinds: ReadonlyMap<string, MountKind>;
}

/**
 * Looks at the host: every bind source must exist (or is made, 0755, where `createSource` says so) and is resolved once,
 * so that links and `/proc/self/…` mean what they meant now. Throws BAD_MOUNT_SOURCE.
 */
export function resolveBindSources(mounts: readonly UserMount[]): ResolvedMounts {
  const kinds = new Map<string, MountKind>();
  const resolved = mounts.map((mount) => {
    if (mount.type !== 'bind') {
      kinds.set(mount.target, 'directory');
      return mount;
    }
    const source = resolveSource(mount.field, mount.source, mount.createSource);
    kinds.set(mount.target, statSync(source).isDirectory() ? 'directory' : 'file');
    return { ...mount, source };
  });
  return { mounts: resolved, kinds };
}

function resolveSource(field: string, source: string, create: boolean): string {
  try {
    return realpathSync(source);
  } catch (cause) {
    if (!create || (cause as NodeJS.ErrnoException).code !== 'ENOENT') {
      throw badField('BAD_MOUNT_SOURCE', `${field}.source`, source, 'cannot be resolved on the host', cause);
    }
  }
  try {
    mkdirSync(source, { recursive: true, mode: 0o755 });
    return realpathSync(source);
  } catch (cause) {
    throw badField('BAD_MOUNT_SOURCE', `${field}.source`, source, 'does not exist and cannot be made', cause);
  }
}
