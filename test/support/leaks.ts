import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * What a test left on the machine. A snapshot is a set of lines, each naming one thing; the difference of two
 * snapshots names the leaks. `scopedSnapshot` sees what carries a root's path, so tests can run beside others;
 * `machineSnapshot` sees everything a container engine could leave anywhere.
 */
export type Snapshot = ReadonlySet<string>;

export interface MachineScope {
  /** Directory that all temp roots of the run are under. */
  readonly token: string;
  /** Others use the machine too: only things that carry the token count. */
  readonly sharedMachine?: boolean;
}

/** Lines that are in `after` and not in `before`, sorted. */
export function diffSnapshots(before: Snapshot, after: Snapshot): string[] {
  return [...after].filter((line) => !before.has(line)).sort();
}

/** Processes, mounts (in any mount namespace), sockets, loop devices and locks that mention `prefix`. */
export function scopedSnapshot(prefix: string): Snapshot {
  const lines = new Set<string>();
  addProcesses(lines, (facts) => mentions(facts, prefix));
  addMounts(lines, (line) => line.includes(prefix));
  addPinnedMounts(lines, prefix);
  addLoopDevices(lines, (backing) => backing.includes(prefix));
  addUnixSockets(lines, (name) => name.includes(prefix));
  return lines;
}

/** Everything an engine could leave on the machine. */
export function machineSnapshot(scope: MachineScope): Snapshot {
  const lines = new Set(scopedSnapshot(scope.token));
  for (const name of list(scope.token)) lines.add(`temporary file ${join(scope.token, name)}`);
  if (scope.sharedMachine === true) return lines;
  addProcesses(lines, (facts) => ENGINE_PROGRAMS.test(facts.comm) || facts.cgroup.includes('caisson'));
  addMounts(lines, () => true);
  addLoopDevices(lines, () => true);
  addUnixSockets(lines, (name) => /caisson|containerd|conmon/.test(name));
  for (const hierarchy of cgroupHierarchies()) addCgroups(lines, hierarchy, '', 0);
  for (const dir of SHARED_DIRECTORIES) for (const name of list(dir)) lines.add(`file ${join(dir, name)}`);
  // An empty one is a place that other tools make and keep, not a leak; what is in them is listed above.
  for (const name of list('/run')) {
    if (/caisson|crun|runc/.test(name) && list(`/run/${name}`).length > 0) lines.add(`file /run/${name}`);
  }
  for (const name of list('/tmp')) if (name.startsWith('caisson-')) lines.add(`temporary file /tmp/${name}`);
  for (const name of list('/sys/class/net')) lines.add(`network interface ${name}`);
  return lines;
}

/** Names that runtimes and supervisors show as their own: the kernel cuts them at 15 bytes. */
const ENGINE_PROGRAMS = /^(runc|runc:\[.*|crun|conmon|containerd-shim.*|caisson.*)$/;
const SHARED_DIRECTORIES = [
  '/run/containerd/s',
  '/run/containerd/fifo',
  '/run/runc',
  '/run/crun',
  '/run/netns',
  '/run/caisson',
  '/var/lib/caisson',
];

interface ProcessFacts {
  readonly pid: number;
  readonly comm: string;
  readonly command: string;
  readonly environ: string;
  readonly links: string;
  readonly cgroup: string;
}

function mentions(facts: ProcessFacts, prefix: string): boolean {
  // Test programs themselves get the token through TMPDIR; they are counted by what they hold, not by that variable.
  const environ = facts.environ.split('\0').filter((entry) => !entry.startsWith('TMPDIR='));
  return [facts.command, facts.links, facts.cgroup, ...environ].some((text) => text.includes(prefix));
}

function addProcesses(lines: Set<string>, isOurs: (facts: ProcessFacts) => boolean): void {
  const own = ancestors();
  for (const name of list('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || own.has(pid)) continue;
    const facts: ProcessFacts = {
      pid,
      comm: read(`/proc/${pid}/comm`).trim(),
      command: read(`/proc/${pid}/cmdline`),
      environ: read(`/proc/${pid}/environ`),
      links: ['cwd', 'root', 'exe'].map((link) => readLink(`/proc/${pid}/${link}`)).join('\0'),
      cgroup: read(`/proc/${pid}/cgroup`),
    };
    if (!isOurs(facts)) continue;
    // Start time makes the line of a reused pid another line.
    const stat = read(`/proc/${pid}/stat`);
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const shown = facts.command.replaceAll('\0', ' ').trim().slice(0, 200) || `[${facts.comm}]`;
    lines.add(`process ${pid} (state ${fields[0] ?? '?'}, started ${fields[19] ?? '?'}): ${shown}`);
  }
}

/** This process and those above it: the test run itself is no leak. */
function ancestors(): Set<number> {
  const pids = new Set<number>();
  for (let pid = process.pid; pid > 1 && !pids.has(pid); ) {
    pids.add(pid);
    const stat = read(`/proc/${pid}/stat`);
    pid = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] ?? 0);
  }
  return pids;
}

function addMounts(lines: Set<string>, isOurs: (line: string) => boolean): void {
  for (const line of read('/proc/self/mountinfo').split('\n')) {
    if (line === '' || !isOurs(line)) continue;
    const [before = '', after = ''] = line.split(' - ');
    lines.add(`mount ${before.split(' ')[4]} (${after.split(' ')[0]}, id ${before.split(' ')[0]})`);
  }
}

/** A mount that went away here may live on in the mount namespace of another process and pin its directory. */
function addPinnedMounts(lines: Set<string>, prefix: string): void {
  const seen = new Set([readLink('/proc/self/ns/mnt')]);
  for (const name of list('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const namespace = readLink(`/proc/${name}/ns/mnt`);
    if (namespace === '' || seen.has(namespace)) continue;
    seen.add(namespace);
    for (const line of read(`/proc/${name}/mountinfo`).split('\n')) {
      if (line.includes(prefix)) lines.add(`mount ${line.split(' ')[4]} in the namespace of process ${name}`);
    }
  }
}

function addLoopDevices(lines: Set<string>, isOurs: (backing: string) => boolean): void {
  for (const name of list('/sys/block')) {
    const backing = read(`/sys/block/${name}/loop/backing_file`).trim();
    if (backing !== '' && isOurs(backing)) lines.add(`loop device ${name} on ${backing}`);
  }
}

function addUnixSockets(lines: Set<string>, isOurs: (name: string) => boolean): void {
  for (const line of read('/proc/net/unix').split('\n').slice(1)) {
    const name = line.split(' ').slice(7).join(' ').trim();
    if (name !== '' && isOurs(name)) lines.add(`unix socket ${name}`);
  }
}

function cgroupHierarchies(): string[] {
  const roots = [];
  for (const line of read('/proc/self/mounts').split('\n')) {
    const [, path = '', type = ''] = line.split(' ');
    if (type === 'cgroup' || type === 'cgroup2') roots.push(path);
  }
  return roots;
}

/** Groups of the service manager come and go by themselves and are not looked at. */
function addCgroups(lines: Set<string>, hierarchy: string, path: string, depth: number): void {
  if (depth > 6) return;
  for (const name of list(join(hierarchy, path))) {
    if (/^(system|user|machine)\.slice$|^init\.scope$/.test(name) && depth === 0) continue;
    const child = `${path}/${name}`;
    if (!isDirectory(join(hierarchy, child))) continue;
    lines.add(`cgroup ${hierarchy}${child}`);
    addCgroups(lines, hierarchy, child, depth + 1);
  }
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function readLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
