import { closeSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import {
  type CgroupLayout,
  identifyProcess,
  killCgroup,
  removeCgroup,
  signalProcess,
  unmount,
} from '../../os/index.js';
import { errnoOf, flock } from '../../os/syscalls/index.js';
import { sleep } from '../../util/signals.js';
import { containerCgroup } from '../cgroup-path.js';
import { killExec } from '../process/end-exec.js';
import { unbindSubpaths } from '../volumes/subpath-mounts.js';
import { isBeingMade } from './session.js';

export interface SweepDeps {
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
    if (name.startsWith('.')) {
      if (!isBeingMade(name)) rmSync(dir, { recursive: true, force: true });
      continue;
    }
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

/**
 * Ends and removes all that a dead host's throwaway containers and exec sessions have left. Idempotent. A session
 * with a container that does not die stays, for the next one who looks.
 */
export async function sweepSession(deps: SweepDeps, dir: string): Promise<void> {
  endRuntimes(dir);
  sweepExecSessions(dir);
  let clean = true;
  for (const id of listDir(`${dir}/c`)) clean = (await sweepContainer(deps, dir, id)) && clean;
  if (clean) rmSync(dir, { recursive: true, force: true });
}

async function sweepContainer(deps: SweepDeps, sessionDir: string, id: string): Promise<boolean> {
  const dir = `${sessionDir}/c/${id}`;
  if (!(await emptyCgroup(deps.cgroups, containerCgroup(deps.cgroupParent, id)))) return false;
  unbindSubpaths(dir);
  unmount(`${dir}/rootfs`, { lazy: true });
  for (const own of listDir(`${sessionDir}/own`)) {
    rmSync(`${sessionDir}/own/${own}/${id}`, { recursive: true, force: true });
  }
  rmSync(dir, { recursive: true, force: true });
  return true;
}

/** Ends runtime processes that outlived the host: one that is half-way through a start would go on with it. */
function endRuntimes(sessionDir: string): void {
  for (const name of readdirSync('/proc')) {
    const identity = /^\d+$/.test(name) ? identifyProcess(Number(name)) : undefined;
    if (identity === undefined) continue;
    const words = readText(`/proc/${name}/cmdline`).split('\0');
    const isOurs = words.some(
      (word, n) =>
        (word.startsWith(`${sessionDir}/c/`) && words[n - 1] === '--bundle') ||
        (word.startsWith(`${sessionDir}/x/`) && words[n - 1] === '--process'),
    );
    if (isOurs) signalProcess(identity, 'SIGKILL');
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
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
  for (const name of listDir(`${dir}/x`)) {
    try {
      killExec(`${dir}/x/${name}`, name.slice(0, name.indexOf('.')));
    } catch {
      // Not started.
    }
  }
}

function listDir(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch (error) {
    // The host's own sweeper may be at the same work, and take it away at any moment.
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}
