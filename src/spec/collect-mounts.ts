import { engineError, quote } from '../errors/index.js';
import { PROPAGATIONS, parseBind } from './bind-string.js';
import type { ContainerOptions, MountOptions } from './container-options.js';
import { checkMountTarget } from './container-path.js';
import { badField } from './fail.js';
import { parseTmpfsOptions } from './tmpfs-options.js';

/** A mount that the caller asked for, in one shape whatever field it came from. Targets are normal and unique. */
export type UserMount = { readonly field: string; readonly target: string; readonly readOnly: boolean } & (
  | {
      readonly type: 'bind';
      readonly source: string;
      readonly propagation: string;
      readonly recursive: boolean;
      readonly createSource: boolean;
    }
  | { readonly type: 'tmpfs'; readonly options: readonly string[] }
  | VolumeUse
);

/** Which volume, and how it is made should it not exist. */
export interface VolumeUse {
  readonly type: 'volume';
  /** Empty as long as an anonymous volume was given none. */
  readonly name: string;
  /** The caller gave no name: it may go with its container. */
  readonly anonymous: boolean;
  readonly noCopy: boolean;
  /** It comes from another container (`volumesFrom`): it exists, and nothing of it is compared or filled. */
  readonly inherited?: boolean;
  /** Host path of its content, since it was mounted last. */
  readonly mountpoint?: string;
  readonly subpath?: string;
  readonly driver?: string;
  readonly driverOptions?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
}

/** A mount of a volume. */
export type VolumeMountPoint = Extract<UserMount, { readonly type: 'volume' }>;

/**
 * `mounts`, `binds` and `tmpfs` as one list, parents before children. Pure: whether sources exist is for
 * `resolveBindSources`. Throws BAD_MOUNT_TARGET, BAD_MOUNT_SOURCE, BAD_MOUNT_OPTION, DUPLICATE_MOUNT_TARGET.
 */
export function collectMounts(
  options: Pick<ContainerOptions, 'mounts' | 'binds' | 'tmpfs' | 'volumeDriver'>,
): UserMount[] {
  const mounts: UserMount[] = [];
  for (const [i, mount] of (options.mounts ?? []).entries()) mounts.push(fromMount(`mounts[${i}]`, mount, options));
  for (const [i, text] of (options.binds ?? []).entries()) {
    mounts.push(fromMount(`binds[${i}]`, parseBind(`binds[${i}]`, text), options));
  }
  for (const [key, text] of Object.entries(options.tmpfs ?? {})) {
    const field = `tmpfs[${JSON.stringify(key)}]`;
    const words = parseTmpfsOptions(field, text);
    mounts.push({
      field,
      type: 'tmpfs',
      target: checkMountTarget(field, key),
      readOnly: words.includes('ro'),
      options: words,
    });
  }
  if (mounts.length > 1) refuseDuplicates(mounts);
  return sortMounts(mounts);
}

/** Parents before children, in place. */
export function sortMounts(mounts: UserMount[]): UserMount[] {
  return mounts.sort((a, b) => depth(a.target) - depth(b.target));
}

function fromMount(field: string, mount: MountOptions, options: Pick<ContainerOptions, 'volumeDriver'>): UserMount {
  const common = {
    field,
    target: checkMountTarget(`${field}.target`, mount.target),
    readOnly: mount.readOnly === true,
  };
  if (mount.type === 'volume') return { ...common, ...volumeUse(mount, options) };
  if (mount.type === 'tmpfs') return { ...common, type: 'tmpfs', options: tmpfsWords(mount, common.readOnly) };
  const propagation = mount.propagation ?? 'rprivate';
  if (!PROPAGATIONS.has(propagation)) {
    throw badField(
      'BAD_MOUNT_OPTION',
      `${field}.propagation`,
      propagation,
      `is not one of ${[...PROPAGATIONS].join(', ')}`,
    );
  }
  return {
    ...common,
    type: 'bind',
    source: checkBindSource(`${field}.source`, mount.source),
    propagation,
    recursive: mount.nonRecursive !== true,
    createSource: mount.createSource === true,
  };
}

function volumeUse(
  mount: Extract<MountOptions, { type: 'volume' }>,
  options: Pick<ContainerOptions, 'volumeDriver'>,
): VolumeUse {
  const driver = mount.driver ?? options.volumeDriver;
  return {
    type: 'volume',
    name: mount.source ?? '',
    anonymous: (mount.source ?? '') === '',
    // What is copied belongs at the root of a volume.
    noCopy: mount.noCopy === true || mount.subpath !== undefined,
    ...(mount.subpath !== undefined && { subpath: mount.subpath }),
    ...(driver !== undefined && { driver }),
    ...(mount.driverOptions !== undefined && { driverOptions: mount.driverOptions }),
    ...(mount.labels !== undefined && { labels: mount.labels }),
  };
}

function tmpfsWords(mount: Extract<MountOptions, { type: 'tmpfs' }>, readOnly: boolean): string[] {
  const words = ['nosuid', 'nodev', mount.exec === true ? 'exec' : 'noexec'];
  if (mount.mode !== undefined) words.push(`mode=${mount.mode.toString(8)}`);
  if (mount.sizeBytes !== undefined) words.push(`size=${mount.sizeBytes}`);
  if (mount.uid !== undefined) words.push(`uid=${mount.uid}`);
  if (mount.gid !== undefined) words.push(`gid=${mount.gid}`);
  if (readOnly) words.push('ro');
  return words;
}

/** Lexical check of a bind source: absolute and free of NUL. `:`, `,`, spaces and newlines are fine: nothing splits it. */
function checkBindSource(field: string, source: unknown): string {
  if (typeof source !== 'string' || !source.startsWith('/') || source.includes('\0') || source.length > 4095) {
    throw badField('BAD_MOUNT_SOURCE', field, source, 'is not an absolute host path');
  }
  return source;
}

function refuseDuplicates(mounts: readonly UserMount[]): void {
  const seen = new Map<string, UserMount>();
  for (const mount of mounts) {
    const first = seen.get(mount.target);
    if (first !== undefined) {
      throw engineError(
        'DUPLICATE_MOUNT_TARGET',
        `field ${mount.field} has the target ${quote(mount.target)} of field ${first.field}`,
        { details: { field: mount.field, value: quote(mount.target), first: first.field } },
      );
    }
    seen.set(mount.target, mount);
  }
}

function depth(path: string): number {
  return path.split('/').length;
}
