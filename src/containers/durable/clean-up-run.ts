import { existsSync, rmSync } from 'node:fs';
import { unmount } from '../../os/index.js';
import type { CallOptions } from '../../util/signals.js';
import { containerCgroup } from '../cgroup-path.js';
import type { ContainerDeps } from '../deps.js';
import { emptyCgroup } from '../ephemeral/sweep.js';
import type { ContainerRecord } from '../record.js';

/**
 * Takes away all that a run of a durable container has outside its own directory: runtime object, supervisor, mounts,
 * cgroup, run dir. Goes by names alone, so it also serves for a run that was never finished. Idempotent.
 */
export async function cleanUpRun(
  deps: Pick<ContainerDeps, 'layout' | 'runtimes' | 'supervisors' | 'cgroups' | 'config' | 'repository'>,
  record: ContainerRecord,
  call: CallOptions = {},
): Promise<void> {
  const { id } = record;
  const runDir = deps.layout.runPath('containers', id);
  // First: a container that never ran can be removed without its runtime.
  if (!existsSync(runDir)) return;
  const runtime = await deps.runtimes.get(record.runtime, call);
  const task = record.task ?? {
    id,
    bundle: runDir,
    runDir: `${runDir}/supervisor`,
    exitDir: `${deps.repository.directory(id)}/exit`,
  };
  await deps.supervisors.get(record.supervisor).delete(task, runtime, call);
  await emptyCgroup(deps.cgroups, containerCgroup(deps.config.cgroupParent, id));
  unmount(`${runDir}/rootfs`, { lazy: true });
  rmSync(runDir, { recursive: true, force: true });
}
