import { readFileSync, writeFileSync } from 'node:fs';
import { readCgroupLayout } from '../../../os/cgroups.js';

/** Notes where the kernel counts the container's out-of-memory kills; the process's own entry is gone after its exit. */
export function noteMemoryCgroup(initPid: number, path: string): void {
  try {
    const layout = readCgroupLayout();
    for (const line of readFileSync(`/proc/${initPid}/cgroup`, 'utf8').trim().split('\n')) {
      const [, controllers = '', group = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
      const v1 = controllers.split(',').includes('memory') ? layout.controllers.get('memory') : undefined;
      const mountPoint = v1 ?? (controllers === '' && layout.mode === 'v2' ? layout.unified : undefined);
      if (mountPoint === undefined) continue;
      const file = v1 === undefined ? 'memory.events' : 'memory.oom_control';
      writeFileSync(path, `${mountPoint}${group}/${file}`, { mode: 0o600 });
    }
  } catch {
    // Without it an out-of-memory kill shows as a plain 137.
  }
}

/** True when the kernel killed in the container's cgroup for lack of memory. */
export function wasOomKilled(notePath: string): boolean {
  try {
    const counters = readFileSync(readFileSync(notePath, 'utf8'), 'utf8');
    return Number(/^oom_kill (\d+)$/m.exec(counters)?.[1] ?? '0') > 0;
  } catch {
    return false;
  }
}
