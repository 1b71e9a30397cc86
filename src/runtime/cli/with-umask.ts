import { readFileSync } from 'node:fs';

/** What containers start with: of the spec, of runc's `run` and of crun. */
const UMASK = '0022';

/**
 * The command line that runs `argv` with a umask of 022. runc sets one for a container's first process only; what it
 * executes later would have that of our host process. Setting ours for the moment would change it for all threads.
 */
export function withUmask(argv: readonly string[]): readonly string[] {
  const own = /^Umask:\s*(\d+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1];
  return own === UMASK ? argv : ['/bin/sh', '-c', `umask ${UMASK}; exec "$@"`, 'umask', ...argv];
}
