import { engineError, quote } from '../errors/index.js';
import type { Mountpoint } from './bind-sources.js';
import type { UserMount } from './collect-mounts.js';
import type { ContainerOptions } from './container-options.js';
import type { OciMount } from './oci-types.js';

/** Docker's size of /dev/shm. */
const DEFAULT_SHM_BYTES = 64 << 20;

/** Where the init binary is bound in the container. */
export const INIT_TARGET = '/sbin/caisson-init';

/** Host files of this container that stand in for the image's. */
export interface ContainerFiles {
  readonly hosts?: string;
  readonly resolvConf?: string;
  readonly hostname?: string;
}

export interface MountsInput {
  readonly options: ContainerOptions;
  readonly userMounts: readonly UserMount[];
  readonly files?: ContainerFiles | undefined;
  readonly initPath?: string | undefined;
  /** Host path of the /dev/shm to share, for `ipcMode: 'container:…'`. */
  readonly shmPath?: string | undefined;
  /** Host directory of each volume mount, by target. */
  readonly volumePaths?: ReadonlyMap<string, string> | undefined;
  /** Kernel and runtime can make a bind read-only with all that is mounted below it. */
  readonly recursiveReadOnly: boolean;
}

/**
 * All mounts in order: the kernel's file systems as Docker has them, the container's files, then the caller's from the root
 * down. A caller's mount takes the place of the default one at the same target.
 */
export function buildMounts(input: MountsInput): OciMount[] {
  const taken = new Set(input.userMounts.map((mount) => mount.target));
  return [
    ...kernelMounts(input).filter((mount) => !taken.has(mount.destination)),
    ...fileMounts(input).filter((mount) => !taken.has(mount.destination)),
    ...input.userMounts.map((mount) => userMount(mount, input)),
  ];
}

/** The mountpoints of the container's own files beside those of the caller's mounts, for `prepareRootfs`. */
export function withFileMountpoints(
  mountpoints: ReadonlyMap<string, Mountpoint>,
  files: ContainerFiles | undefined,
  initPath?: string,
): ReadonlyMap<string, Mountpoint> {
  const all = new Map(mountpoints);
  for (const { destination } of fileMounts({ options: {}, files, initPath })) {
    if (!all.has(destination)) all.set(destination, { kind: 'file' });
  }
  return all;
}

/**
 * What shared mounts need of the container's root; `undefined` leaves the runtime's default. The spec's schema lists no
 * `rslave`, but runc and crun take it, and plain `slave` would leave mounts below `/` shared with the host.
 */
export function rootfsPropagation(mounts: readonly UserMount[]): string | undefined {
  const modes = mounts.map((mount) => (mount.type === 'bind' ? mount.propagation : ''));
  if (modes.some((mode) => mode === 'shared' || mode === 'rshared')) return 'shared';
  return modes.some((mode) => mode === 'slave' || mode === 'rslave') ? 'rslave' : undefined;
}

function kernelMounts({ options, shmPath }: MountsInput): OciMount[] {
  const ipc = options.ipcMode ?? 'private';
  // Kernel switches are writable for a privileged container only; for others a writable cgroup tree has been a way out.
  const readOnly = options.privileged === true ? [] : ['ro'];
  const safe = ['nosuid', 'noexec', 'nodev'];
  const mounts: OciMount[] = [
    { destination: '/proc', type: 'proc', source: 'proc', options: safe },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...safe, ...readOnly] },
    { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: [...safe, ...readOnly] },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: safe },
  ];
  const sharedShm = shmPath ?? (ipc === 'host' ? '/dev/shm' : undefined);
  if (sharedShm !== undefined) {
    mounts.push({ destination: '/dev/shm', type: 'bind', source: sharedShm, options: ['rbind', 'rprivate', ...safe] });
  } else if (ipc !== 'none') {
    const size = `size=${options.shmSizeBytes ?? DEFAULT_SHM_BYTES}`;
    mounts.push({ destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: [...safe, 'mode=1777', size] });
  }
  return mounts;
}

function fileMounts({ options, files, initPath }: Pick<MountsInput, 'options' | 'files' | 'initPath'>): OciMount[] {
  const bindFile = (destination: string, source: string | undefined, readOnly: boolean): OciMount[] =>
    source === undefined
      ? []
      : [{ destination, type: 'bind', source, options: ['bind', 'rprivate', ...(readOnly ? ['ro'] : [])] }];
  const readOnly = options.readOnlyRootfs === true;
  return [
    ...bindFile('/etc/resolv.conf', files?.resolvConf, readOnly),
    ...bindFile('/etc/hostname', files?.hostname, readOnly),
    ...bindFile('/etc/hosts', files?.hosts, readOnly),
    ...bindFile(INIT_TARGET, initPath, true),
  ];
}

function userMount(mount: UserMount, input: MountsInput): OciMount {
  if (mount.type === 'tmpfs') {
    return { destination: mount.target, type: 'tmpfs', source: 'tmpfs', options: [...mount.options] };
  }
  if (mount.type === 'bind') {
    const kind = mount.recursive ? 'rbind' : 'bind';
    const readOnly = !mount.readOnly ? [] : mount.recursive && input.recursiveReadOnly ? ['ro', 'rro'] : ['ro'];
    return {
      destination: mount.target,
      type: 'bind',
      source: mount.source,
      options: [kind, mount.propagation, ...readOnly],
    };
  }
  const source = input.volumePaths?.get(mount.target);
  if (source === undefined) {
    throw engineError('BUG', `volume ${quote(mount.name)} of field ${mount.field} was not mounted before the start`);
  }
  const readOnly = !mount.readOnly ? [] : input.recursiveReadOnly ? ['ro', 'rro'] : ['ro'];
  return { destination: mount.target, type: 'bind', source, options: ['rbind', 'rprivate', ...readOnly] };
}
