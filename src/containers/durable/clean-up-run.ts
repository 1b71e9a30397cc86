import { existsSync, rmSync } from 'node:fs';
import { unmount } from '../../os/index.js';
import type { CallOptions } from '../../util/signals.js';
import { containerCgroup } from '../cgroup-path.js';
import type { ContainerDeps } from '../deps.js';
import { emptyCgroup } from '../ephemeral/sweep.js';
import type { ContainerRecord } from '../record.js';
import { unmountVolumes } from '../volumes/mount-volumes.js';
import { unbindSubpaths } from '../volumes/subpath-mounts.js';

/**
 * Takes away all that a run of a durable container has outside its own directory: runtime object, supervisor, mounts,
 * cgroup, run dir. Goes by names alone, so it also serves for a run that was never finished. Idempotent.
 */
export async function cleanUpRun(
  deps: Pick<ContainerDeps, 'layout' | 'runtimes' | 'supervisors' | 'cgroups' | 'config' | 'repository' | 'volumes'>,
  record: ContainerRecord,
  call: CallOptions = {},
): Promise<void> {
  const { id } = record;
  const runDir = deps.layout.runPath('containers', id);
  const cgroup = containerCgroup(deps.config.cgroupParent, id);
  const exitDir = record.task?.exitDir ?? nextExitDir(deps, record);
  if (!existsSync(runDir)) {
    // Never started, cleaned up, or the run dir was wiped: then the cgroup is all that has a name.
    await emptyCgroup(deps.cgroups, cgroup);
    rmSync(exitDir, { recursive: true, force: true });
    // Also a mount that could not be ended then.
    await unmountVolumes(deps.volumes, record.mounts ?? [], id, call);
    return;
  }
  // Not before: a container that never ran can be removed without its runtime.
  const runtime = await deps.runtimes.get(record.runtime, call);
  const task = record.task ?? {
    id,
    bundle: runDir,
    runDir: `${runDir}/supervisor`,
    exitDir,
  };
  await deps.supervisors.get(record.supervisor).delete(task, runtime, call);
  await emptyCgroup(deps.cgroups, cgroup);
  unbindSubpaths(runDir);
  unmount(`${runDir}/rootfs`, { lazy: true });
  await unmountVolumes(deps.volumes, record.mounts ?? [], id, call);
  rmSync(exitDir, { recursive: true, force: true });
  rmSync(runDir, { recursive: true, force: true });
}

/**
 * Where the supervisor of the next run keeps its exit. A directory for each run: somebody who still waits for an
 * earlier one may write down late how that ended, and must not be taken for this one's end.
 */
export function nextExitDir(
  deps: { readonly repository: Pick<ContainerDeps['repository'], 'directory'> },
  record: ContainerRecord,
): string {
  return `${deps.repository.directory(record.id)}/exit-${record.runs + 1}`;
}
