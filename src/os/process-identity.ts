import { readFileSync } from 'node:fs';

/** A process for certain: pids are reused, so a bare pid is never stored or signalled. @public */
export interface ProcessIdentity {
  /** Process id. */
  readonly pid: number;
  /** Field 22 of /proc/<pid>/stat: clock ticks after boot. */
  readonly startTime: string;
  /** Boot of the machine in which it runs. */
  readonly bootId: string;
}

let boot: string | undefined;

/** The kernel's id of this boot. `path` is replaceable for tests of what a reboot does. */
export function bootId(path = '/proc/sys/kernel/random/boot_id'): string {
  if (path !== '/proc/sys/kernel/random/boot_id') return readFileSync(path, 'utf8').trim();
  boot ??= readFileSync(path, 'utf8').trim();
  return boot;
}

interface ProcStat {
  readonly state: string;
  readonly parentPid: number;
  readonly startTime: string;
  /** PF_* of the kernel. */
  readonly flags: number;
}

const EXITING = 0x4;

function readStat(pid: number): ProcStat | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  // The command name is in parentheses and may hold anything; fields are counted from behind the last one.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return {
    state: fields[0] ?? '?',
    parentPid: Number(fields[1]),
    startTime: fields[19] ?? '0',
    flags: Number(fields[6]),
  };
}

/** Identity of a process that lives now; `undefined` when it is gone or a zombie. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  const stat = readStat(pid);
  if (stat === undefined || stat.state === 'Z' || stat.state === 'X') return undefined;
  return { pid, startTime: stat.startTime, bootId: bootId() };
}

/** True while exactly this process runs (a zombie does not). */
export function isAlive(process: ProcessIdentity): boolean {
  if (process.bootId !== bootId()) return false;
  const stat = readStat(process.pid);
  return stat !== undefined && stat.startTime === process.startTime && stat.state !== 'Z' && stat.state !== 'X';
}

/**
 * True when the process is gone or on its way out. The first process of a pid namespace may be that for long: it goes
 * after all others in there have been waited for.
 */
export function isEnding(process: ProcessIdentity): boolean {
  const stat = readStat(process.pid);
  return !isAlive(process) || stat === undefined || (stat.flags & EXITING) !== 0;
}

/** Sends a signal to exactly this process; false when it is gone. */
export function signalProcess(target: ProcessIdentity, signal: NodeJS.Signals | number): boolean {
  if (!isAlive(target)) return false;
  try {
    process.kill(target.pid, signal);
    return true;
  } catch {
    return false;
  }
}
