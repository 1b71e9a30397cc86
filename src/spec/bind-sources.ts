import { mkdirSync, realpathSync, statSync } from 'node:fs';
import type { UserMount } from './collect-mounts.js';
import { badField } from './fail.js';

/** What a mount needs in the root file system: a bind wants a mountpoint of its source's kind. */
export interface Mountpoint {
  readonly kind: 'directory' | 'file';
  /** Mode of a mountpoint that has to be made. Runtimes hand it on to a tmpfs. @defaultValue 0755, 0644 for a file */
  readonly mode?: number;
  /** Give an existing mountpoint this mode too: older runtimes prefer it to the mode that a tmpfs asks for. */
  readonly forceMode?: boolean;
}

export interface ResolvedMounts {
  /** The same mounts; sources of binds are real paths. */
  readonly mounts: UserMount[];
  /** By target. */
  readonly mountpoints: ReadonlyMap<string, Mountpoint>;
}

/**
 * Looks at the host: every bind source must exist (or is made, 0755, where `createSource` says so) and is resolved once,
 * so that links and `/proc/self/…` mean what they meant now. Throws BAD_MOUNT_SOURCE.
 */
export function resolveBindSources(
  mounts: readonly UserMount[],
  volumePaths: ReadonlyMap<string, string> = new Map(),
): ResolvedMounts {
  const mountpoints = new Map<string, Mountpoint>();
  const resolved = mounts.map((mount) => {
    if (mount.type !== 'bind') {
      mountpoints.set(
        mount.target,
        mount.type === 'tmpfs' ? tmpfsMountpoint(mount.options) : { kind: kindOf(volumePaths.get(mount.target)) },
      );
      return mount;
    }
    const source = resolveSource(mount.field, mount.source, mount.createSource);
    mountpoints.set(mount.target, { kind: kindOf(source) });
    return { ...mount, source };
  });
  return { mounts: resolved, mountpoints };
}

function kindOf(source: string | undefined): Mountpoint['kind'] {
  return source === undefined || statSync(source).isDirectory() ? 'directory' : 'file';
}

function tmpfsMountpoint(options: readonly string[]): Mountpoint {
  const asked = options.findLast((word) => word.startsWith('mode='));
  if (asked === undefined) return { kind: 'directory', mode: 0o1777 };
  return { kind: 'directory', mode: Number.parseInt(asked.slice(5), 8), forceMode: true };
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
