import type { UserMount } from '../../spec/index.js';

/** A mount of a container as `inspect` shows it; the runtime's own (/proc, /dev…) are not among them. @public */
export interface ContainerMount {
  readonly type: 'bind' | 'volume' | 'tmpfs';
  /** The volume's name; `undefined` for one without, as throwaway containers have them, and for other types. */
  readonly name: string | undefined;
  /** The volume's driver. */
  readonly driver: string | undefined;
  /** Host path: of a bind as it was given, of a volume where its driver had its content when the container started last. */
  readonly source: string | undefined;
  /** Path in the volume that is mounted instead of all of it. */
  readonly subpath: string | undefined;
  /** Absolute path in the container. */
  readonly destination: string;
  readonly readOnly: boolean;
  /** `rprivate` unless a bind says otherwise; `undefined` for tmpfs. */
  readonly propagation: string | undefined;
  /** The volume has no name of the caller's: `remove({ volumes: true })` removes it. */
  readonly anonymous: boolean;
}

export function describeMounts(mounts: readonly UserMount[]): ContainerMount[] {
  return mounts.map((mount) => {
    const volume = mount.type === 'volume' ? mount : undefined;
    return {
      type: mount.type,
      name: volume?.name || undefined,
      driver: volume?.driver ?? (volume === undefined ? undefined : 'local'),
      source: mount.type === 'bind' ? mount.source : volume?.mountpoint,
      subpath: volume?.subpath,
      destination: mount.target,
      readOnly: mount.readOnly,
      propagation: mount.type === 'tmpfs' ? undefined : mount.type === 'bind' ? mount.propagation : 'rprivate',
      anonymous: volume?.anonymous ?? false,
    };
  });
}
