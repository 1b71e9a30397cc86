import { readFileSync } from 'node:fs';
import { engineError } from '../../errors/index.js';

/** The id that mountinfo has for the mount that an open descriptor (also O_PATH) is on. */
export function mountIdOf(fd: number): number {
  const id = /^mnt_id:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1];
  if (id === undefined) throw engineError('SYSCALL_FAILED', `descriptor ${fd} has no mount`, { details: { fd } });
  return Number(id);
}
