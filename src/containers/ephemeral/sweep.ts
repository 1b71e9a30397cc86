import { closeSync, existsSync, openSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { type CgroupLayout, killCgroup, removeCgroup, unmount } from '../../os/index.js';
import { errnoOf, flock } from '../../os/syscalls/index.js';
import { sleep } from '../../util/signals.js';
import { containerCgroup } from '../cgroup-path.js';

export interface SweepDeps {
  readonly sessionsDir: string;
  readonly runDir: string;
  readonly cgroupParent: string;
  readonly cgroups: CgroupLayout;
}

/** Session directories whose owner is dead, each with its lock taken so that only one process sweeps it. */
export interface DeadSession {
  readonly dir: string;
  release(): void;
}

/** Finds the sessions that dead hosts left. Cheap where there is none. */
export function findDeadSessions(sessionsDir: string): DeadSession[] {
  const dead: DeadSession[] = [];
  for (const name of readdirSync(sessionsDir)) {
    const dir = `${sessionsDir}/${name}`;
    // A hidden one is just being made and its lock not yet held; after a minute nobody is making it any more.
    if (name.startsWith('.') && Date.now() - statSync(dir).mtimeMs < 60_000) continue;
    let fd: number;
    try {
      fd = openSync(`${dir}/lock`, 'r');
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
      rmSync(dir, { recursive: true, force: true });
      continue;
    }
    if (flock(fd, 'exclusive', { nonBlocking: true })) dead.push({ dir, release: () => closeSync(fd) });
    else closeSync(fd);
  }
  return dead;
}

/** Ends and removes all that a dead host's throwaway containers and exec sessions have left. Idempotent. */
export async function sweepSession(deps: SweepDeps, dir: string): Promise<void> {
  sweepExecSessions(dir);
  for (const id of listDir(`${dir}/c`)) await sweepContainer(deps, `${dir}/c/${id}`, id);
  rmSync(dir, { recursive: true, force: true });
}

async function sweepContainer(deps: SweepDeps, dir: string, id: string): Promise<void> {
  const cgroup = containerCgroup(deps.cgroupParent, id);
  await emptyCgroup(deps.cgroups, cgroup);
  unmount(`${dir}/rootfs`, { lazy: true });
  for (const name of listDir(`${dir}/own`))
    rmSync(readlinkSync(`${dir}/own/${name}`), { recursive: true, force: true });
  for (const runtime of listDir(`${deps.runDir}/runtime`)) {
    rmSync(`${deps.runDir}/runtime/${runtime}/${id}`, { recursive: true, force: true });
  }
  rmSync(dir, { recursive: true, force: true });
}

/** Kills a cgroup's processes until none is left, and removes it. False when it is still busy after two seconds. */
export async function emptyCgroup(cgroups: CgroupLayout, path: string): Promise<boolean> {
  for (let tries = 0; tries < 200; tries++) {
    killCgroup(cgroups, path);
    if (removeCgroup(cgroups, path)) return true;
    await sleep(10, { keepAlive: true });
  }
  return false;
}

function sweepExecSessions(dir: string): void {
  for (const token of listDir(`${dir}/x`)) {
    try {
      const pid = Number(readFileSync(`${dir}/x/${token}/pid`, 'latin1'));
      // The pid may have been reused: only a process inside one of our containers is ended.
      if (pid > 1 && readFileSync(`/proc/${pid}/cgroup`, 'latin1').includes('/caisson-')) {
        process.kill(-pid, 'SIGKILL');
      }
    } catch {
      // Not started, or ended long ago.
    }
  }
}

function listDir(dir: string): string[] {
  return existsSync(dir) ? readdirSync(dir) : [];
}
