import { isAlive, type ProcessIdentity } from './process-identity.js';

/** How an unfinished step names the process that does it. */
export function formatOwner(process: ProcessIdentity): string {
  return `${process.pid}.${process.startTime}.${process.bootId}`;
}

/** True while the process that an unfinished step is named after lives; false for names that no step makes. */
export function isOwnerAlive(stepName: string): boolean {
  const match = /^(\d+)\.(\d+)\.([^.]+)\./.exec(stepName);
  if (match === null) return false;
  return isAlive({ pid: Number(match[1]), startTime: match[2] as string, bootId: match[3] as string });
}
