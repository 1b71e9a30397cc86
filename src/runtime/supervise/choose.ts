import { engineError } from '../../errors/index.js';
import type { Spawner } from '../oci-runtime.js';
import type { Supervisor } from '../supervisor.js';
import { createConmonSupervisor } from './conmon/conmon-supervisor.js';
import { createShimSupervisor } from './shim/shim-supervisor.js';

/** Programs that were found; a path is absent when there is none. */
export interface FoundSupervisors {
  readonly conmonPath?: string | undefined;
  readonly shimPath?: string | undefined;
  /** The shim's log writer needs Perl. */
  readonly perlPath?: string | undefined;
}

/**
 * The supervisor of new durable containers. `auto` takes conmon where there is one: it is faster to start, takes an
 * eighth of the memory and its exit codes are on disk. Throws SUPERVISOR_MISSING.
 */
export function chooseSupervisor(
  preference: 'auto' | 'conmon' | 'shim',
  found: FoundSupervisors & { readonly spawner: Spawner },
): Supervisor {
  const { conmonPath, shimPath, perlPath, spawner } = found;
  if (preference !== 'shim' && conmonPath !== undefined) return createConmonSupervisor({ conmonPath, spawner });
  if (preference !== 'conmon' && shimPath !== undefined && perlPath !== undefined) {
    return createShimSupervisor({ shimPath, perlPath, spawner });
  }
  const missing = {
    auto: 'neither conmon nor containerd-shim-runc-v2 with perl was found',
    conmon: 'conmon was not found',
    shim:
      shimPath === undefined ? 'containerd-shim-runc-v2 was not found' : 'perl, which writes its logs, was not found',
  }[preference];
  throw engineError('SUPERVISOR_MISSING', missing, { details: { preference, conmonPath, shimPath, perlPath } });
}
