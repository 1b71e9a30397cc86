import { readFileSync } from 'node:fs';
import type { Child } from '../../os/index.js';
import { sleep } from '../../util/signals.js';
import { waitForPidFile } from '../ephemeral/started.js';

/** Longest wait for a runtime that is half-way through the start. */
const START_MS = 3_000;
const WRITE_MS = 100;
const REAP_MS = 1_000;

/**
 * Ends what an exec has started. A runtime that is killed before it has written the pid file may leave the process
 * running in the container, where nobody would find it: so the file is waited for, then the process goes, then the runtime.
 */
export async function endExec(dir: string, containerId: string, child: Child): Promise<void> {
  try {
    const state = await waitForPidFile(dir, child.exit, AbortSignal.timeout(START_MS));
    // crun makes the file a moment before it writes the number.
    for (let ms = 0; state === 'started' && ms < WRITE_MS && !killExec(dir, containerId); ms++) {
      await sleep(1, { keepAlive: true });
    }
    // The runtime is let go by itself: it is the one who reaps the process, which would stay in the container as a zombie.
    await Promise.race([child.exit, sleep(REAP_MS)]);
  } catch {
    // It ended meanwhile, or hangs: then the runtime is all there is to end.
  }
  child.kill('SIGKILL');
}

/**
 * Kills the process of an exec session and its group; false while its number is not known. The number may be another
 * process's by now: only one inside the same container is ended.
 */
export function killExec(dir: string, containerId: string): boolean {
  const pid = Number(readFileSync(`${dir}/pid`, 'latin1'));
  if (!Number.isInteger(pid) || pid <= 1) return false;
  try {
    if (readFileSync(`/proc/${pid}/cgroup`, 'latin1').includes(`/caisson-${containerId}`))
      process.kill(-pid, 'SIGKILL');
  } catch {
    // Ended already.
  }
  return true;
}
