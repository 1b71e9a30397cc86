import { readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { type MountInfo, readMountInfo } from './mountinfo.js';
import { errnoOf } from './syscalls/index.js';

/** The cgroup hierarchies of this host. */
export interface CgroupLayout {
  /** `hybrid`: v1 controllers with a v2 tree beside them that has none we need. */
  readonly mode: 'v1' | 'hybrid' | 'v2' | 'none';
  /** Mount points of all hierarchies, v1 ones first. */
  readonly mountPoints: readonly string[];
  /** v1 controller (or `name=…`) to mount point. */
  readonly controllers: ReadonlyMap<string, string>;
  readonly unified: string | undefined;
}

/** Reads the hierarchies from the mounts that this process sees, or from those given. */
export function readCgroupLayout(mounts: readonly MountInfo[] = readMountInfo()): CgroupLayout {
  const controllers = new Map<string, string>();
  let unified: string | undefined;
  for (const mount of mounts) {
    if (mount.fsType === 'cgroup2') unified ??= mount.mountPoint;
    if (mount.fsType !== 'cgroup') continue;
    for (const word of mount.superOptions.split(',')) {
      if (!isMountOption(word) && !controllers.has(word)) controllers.set(word, mount.mountPoint);
    }
  }
  const v1 = [...new Set(controllers.values())];
  const mode = v1.length === 0 ? (unified ? 'v2' : 'none') : unified ? 'hybrid' : 'v1';
  return { mode, mountPoints: unified ? [...v1, unified] : v1, controllers, unified };
}

const V1_OPTIONS = new Set(
  'rw ro xattr noprefix clone_children cpuset_v2_mode favordynmods seclabel none all'.split(' '),
);

/** What stands among the controllers of a v1 hierarchy: `release_agent=/path`, `seclabel`…, but `name=x` is its name. */
function isMountOption(word: string): boolean {
  return V1_OPTIONS.has(word) || (word.includes('=') && !word.startsWith('name='));
}

/** Processes of a cgroup and the groups below it, over all hierarchies. */
export function cgroupProcesses(layout: CgroupLayout, path: string): number[] {
  const pids = new Set<number>();
  for (const mountPoint of layout.mountPoints) collectProcesses(mountPoint + path, pids);
  return [...pids];
}

function collectProcesses(dir: string, pids: Set<number>): void {
  let entries: string[];
  try {
    for (const line of readFileSync(`${dir}/cgroup.procs`, 'latin1').split('\n')) if (line) pids.add(Number(line));
    entries = subgroups(dir);
  } catch {
    return;
  }
  for (const name of entries) collectProcesses(`${dir}/${name}`, pids);
}

/** Sends SIGKILL to every process of the cgroup; true when it had any. Frozen groups are thawed, else the signal waits. */
export function killCgroup(layout: CgroupLayout, path: string): boolean {
  if (layout.unified !== undefined && layout.mode === 'v2') {
    try {
      const populated = cgroupProcesses(layout, path).length > 0;
      writeFileSync(`${layout.unified}${path}/cgroup.kill`, '1');
      return populated;
    } catch {
      // Before Linux 5.14 there is no cgroup.kill.
    }
  }
  // 0 stands for a process of an outer pid namespace; to kill(2) it means our own process group.
  const pids = cgroupProcesses(layout, path).filter((pid) => pid > 0);
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Gone meanwhile.
    }
  }
  const freezer = layout.controllers.get('freezer');
  if (pids.length > 0 && freezer !== undefined) thawTree(freezer + path);
  return pids.length > 0;
}

/** A group that was frozen itself stays so when the one above it is thawed. */
function thawTree(dir: string): void {
  try {
    for (const name of subgroups(dir)) thawTree(`${dir}/${name}`);
    writeFileSync(`${dir}/freezer.state`, 'THAWED');
  } catch {
    // Not in this hierarchy, or gone meanwhile.
  }
}

function subgroups(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
}

/** Removes the (empty) cgroup and those below it in every hierarchy; false when one is still busy. Idempotent. */
export function removeCgroup(layout: CgroupLayout, path: string): boolean {
  return layout.mountPoints.map((mountPoint) => removeTree(mountPoint + path)).every(Boolean);
}

function removeTree(dir: string): boolean {
  if (removeGroup(dir) === 'gone') return true;
  let names: string[];
  try {
    names = subgroups(dir);
  } catch {
    // Gone meanwhile: a runtime or a sweep is at it too.
    names = [];
  }
  const clean = names.map((name) => removeTree(`${dir}/${name}`)).every(Boolean);
  return clean && removeGroup(dir) === 'gone';
}

function removeGroup(dir: string): 'gone' | 'busy' {
  try {
    rmdirSync(dir);
    return 'gone';
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT') return 'gone';
    if (errno !== 'EBUSY' && errno !== 'ENOTEMPTY') throw error;
    return 'busy';
  }
}
