import type { UserMount, VolumeMountPoint } from '../../spec/index.js';
import type { Layout } from '../../state/index.js';
import { createLog } from '../../util/log.js';
import type { CallOptions } from '../../util/signals.js';
import { copyOnFirstUse } from './first-use-copy.js';
import type { ContainerHolder, VolumesSource } from './port.js';
import { bindSubpath } from './subpath-mounts.js';
import { usedVolumes } from './take-volumes.js';
import { makeThrowawayVolume } from './throwaway-volumes.js';

const log = createLog('containers');

export interface MountRequest {
  readonly holder: ContainerHolder;
  /** The container's run or session directory, with its root mounted at `rootfs`. */
  readonly dir: string;
  readonly mounts: readonly UserMount[];
  /** It starts for the first time: empty volumes get what its image has at their places. */
  readonly first: boolean;
  /** Where volumes without a name are made; only throwaway containers have such. */
  readonly throwawayDir?: string;
}

export interface MountedVolumes {
  /** The mounts, volumes with their mountpoints. */
  readonly mounts: readonly UserMount[];
  /** What the runtime is to bind, by target. */
  readonly volumePaths: ReadonlyMap<string, string>;
}

export interface MountVolumesDeps {
  readonly volumes: VolumesSource;
  readonly layout: Pick<Layout, 'runPath'>;
}

/** Mounts a container's volumes before its runtime starts. What it did is undone by `unmountVolumes`, by name. */
export async function mountVolumes(
  deps: MountVolumesDeps,
  request: MountRequest,
  call: CallOptions,
): Promise<MountedVolumes> {
  const volumePaths = new Map<string, string>();
  const mounts: UserMount[] = [];
  for (const mount of request.mounts) {
    if (mount.type !== 'volume') {
      mounts.push(mount);
      continue;
    }
    const mountpoint =
      mount.name === ''
        ? await makeNameless(request, mount, mounts.length, call)
        : await mountNamed(deps, request, mount, call);
    volumePaths.set(
      mount.target,
      mount.subpath === undefined ? mountpoint : bindSubpath(request.dir, mountpoint, mount),
    );
    mounts.push({ ...mount, mountpoint });
  }
  return { mounts, volumePaths };
}

function makeNameless(request: MountRequest, mount: VolumeMountPoint, n: number, call: CallOptions): Promise<string> {
  const { target, noCopy } = mount;
  const dir = request.throwawayDir as string;
  return makeThrowawayVolume({ dir, n, rootfs: `${request.dir}/rootfs`, target, noCopy }, call);
}

async function mountNamed(
  deps: MountVolumesDeps,
  request: MountRequest,
  mount: VolumeMountPoint,
  call: CallOptions,
): Promise<string> {
  const volumes = await deps.volumes();
  const { mountpoint } = await volumes.mount(mount.name, { ...call, holder: request.holder });
  await copyOnFirstUse(
    {
      rootfs: `${request.dir}/rootfs`,
      target: mount.target,
      mountpoint,
      lockPath: deps.layout.runPath('volumes', 'first-use', mount.name),
      onlyRepair: !request.first || mount.noCopy,
    },
    call,
  );
  return mountpoint;
}

/** Ends the mounts of a run; the container keeps its volumes. One that can't be unmounted now is tried again with the next call. */
export async function unmountVolumes(
  source: VolumesSource,
  mounts: readonly UserMount[],
  holderId: string,
  call: CallOptions,
): Promise<void> {
  const used = usedVolumes(mounts);
  if (used.length === 0) return;
  const volumes = await source();
  for (const { name } of used) {
    try {
      await volumes.unmount(name, holderId, call);
    } catch (error) {
      // A driver that is away must not keep the end of a container from being noted.
      log('volume %s could not be unmounted for container %s: %o', name, holderId, error);
    }
  }
}
