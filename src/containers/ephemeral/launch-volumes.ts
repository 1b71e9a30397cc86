import { identifyProcess, type ProcessIdentity } from '../../os/index.js';
import type { ContainerOptions } from '../../spec/container-options.js';
import type { UserMount, VolumeMountPoint } from '../../spec/index.js';
import type { Intent } from '../../state/index.js';
import { createLog } from '../../util/log.js';
import type { Rollback } from '../../util/rollback.js';
import { type CallOptions, cleanupSignal } from '../../util/signals.js';
import type { ContainerDeps } from '../deps.js';
import { type MountedVolumes, mountVolumes } from '../volumes/mount-volumes.js';
import { resolveMounts } from '../volumes/resolve-mounts.js';
import { unbindSubpaths } from '../volumes/subpath-mounts.js';
import { nameVolumes, releaseVolumes, removeAnonymous, takeVolumes, usedVolumes } from '../volumes/take-volumes.js';
import { removeThrowawayVolumes, throwawayDir } from '../volumes/throwaway-volumes.js';

const log = createLog('containers');

export interface LaunchVolumesRequest {
  readonly id: string;
  /** The container's session directory, its root mounted. */
  readonly dir: string;
  readonly options: ContainerOptions;
  readonly imageVolumes: readonly string[];
}

/** The mounts of a throwaway container, its volumes mounted. */
export interface LaunchVolumes extends MountedVolumes {
  /** Ends the use of the volumes and removes those without a name; after the container's end. */
  finish(): Promise<void>;
}

/**
 * Volumes without a name are directories that go with the container, and no store knows of them; the others are held in
 * the name of this process, so that its death ends that too.
 */
export async function openLaunchVolumes(
  deps: ContainerDeps,
  request: LaunchVolumesRequest,
  undo: Rollback,
  call: CallOptions,
): Promise<LaunchVolumes> {
  const { id, dir, options } = request;
  const merged = resolveMounts(deps.repository, options, request.imageVolumes);
  if (!merged.some(({ type }) => type === 'volume')) {
    return { mounts: merged, volumePaths: new Map(), finish: async () => {} };
  }
  const mounts = merged.map((mount) => (isThrowaway(mount) ? mount : (nameVolumes([mount])[0] as UserMount)));
  const owner = identifyProcess(process.pid) as ProcessIdentity;
  const intent = beginIntent(deps, id, owner, mounts);
  undo.defer(() => intent?.done());
  if (mounts.some(isThrowaway)) {
    deps.session.own(id, throwawayDir(deps.layout, id));
    undo.defer(() => removeThrowawayVolumes(deps.layout, id));
  }
  const holder = { id, kind: 'ephemeral', owner } as const;
  const taken = await takeVolumes(deps.volumes, mounts, holder, undo, call);
  undo.defer(() => unbindSubpaths(dir));
  const place = throwawayDir(deps.layout, id);
  const mounted = await mountVolumes(deps, { holder, dir, mounts: taken, first: true, throwawayDir: place }, call);
  return { ...mounted, finish: () => finish(deps, id, taken, intent) };
}

/** Should this process die, the next open removes what has no other name than the one given here. */
function beginIntent(
  deps: ContainerDeps,
  id: string,
  owner: ProcessIdentity,
  mounts: readonly UserMount[],
): Intent | undefined {
  const volumes = usedVolumes(mounts).filter((one) => one.anonymous);
  if (volumes.length === 0) return undefined;
  return deps.intents.begin({ verb: 'run', kind: 'container', id, owner, data: { volumes }, durable: false });
}

async function finish(
  deps: ContainerDeps,
  id: string,
  mounts: readonly UserMount[],
  intent: Intent | undefined,
): Promise<void> {
  await removeThrowawayVolumes(deps.layout, id);
  const used = usedVolumes(mounts);
  const call = { signal: cleanupSignal() };
  try {
    await releaseVolumes(deps.volumes, used, id, call);
    await removeAnonymous(deps.volumes, used, call);
    intent?.done();
  } catch (error) {
    // How the container ended is told all the same; the intent stays for the next open of the root.
    log('volumes of container %s: %o', id, error);
  }
}

/** Without a driver that somebody named there is nothing to a volume but its content. */
function isThrowaway(mount: UserMount): mount is VolumeMountPoint {
  return (
    mount.type === 'volume' &&
    mount.name === '' &&
    (mount.driver === undefined || mount.driver === 'local') &&
    mount.driverOptions === undefined
  );
}
