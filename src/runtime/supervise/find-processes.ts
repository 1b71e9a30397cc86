import { readdirSync, readFileSync } from 'node:fs';
import { identifyProcess, type ProcessIdentity } from '../../os/process-identity.js';

/** Processes other than this one that have `argument` as a whole word of their command line. */
export function findProcessesByArgument(argument: string): ProcessIdentity[] {
  const found: ProcessIdentity[] = [];
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    // Identified before its command line is read: the pid may be another process's a moment later.
    const identity = identifyProcess(pid);
    if (identity !== undefined && commandLine(pid).includes(argument)) found.push(identity);
  }
  return found;
}

/** Arguments of a process; empty when it is gone. */
export function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
  } catch {
    return [];
  }
}
