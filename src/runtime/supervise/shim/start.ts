import { writeFileSync } from 'node:fs';
import { engineError, quote } from '../../../errors/index.js';
import { SYSTEM_ENV } from '../../../os/find-executable.js';
import type { CallOptions } from '../../../util/signals.js';
import { startDaemon } from '../../daemon-starter.js';
import type { Spawner } from '../../oci-runtime.js';
import type { ShimFiles } from './files.js';

export interface ShimDeps {
  readonly shimPath: string;
  readonly perlPath: string;
  readonly spawner: Spawner;
}

/** Two threads are enough for one container, and each costs memory. */
const SHIM_ENV = { ...SYSTEM_ENV, GOMAXPROCS: '2' };

/** Starts the shim's daemon and gives the socket that it listens on. */
export async function startShim(
  deps: ShimDeps,
  place: { readonly files: ShimFiles; readonly bundle: string; readonly namespace: string; readonly id: string },
  call: CallOptions,
): Promise<string> {
  const { files, bundle, namespace, id } = place;
  // Without this file the daemon ends at once, though `start` reports success.
  writeFileSync(files.log, '', { mode: 0o600 });
  const args = ['-namespace', namespace, '-id', id, '-address', files.dir, 'start'];
  const request = { file: deps.shimPath, args, env: SHIM_ENV, cwd: bundle };
  const output = await startDaemon(deps.spawner, request, isAddress, call);
  const address = output.stdout.trim();
  if (!isAddress(address)) {
    throw engineError(
      'SUPERVISOR_FAILED',
      `the shim of container ${quote(id)} did not start: ${quote(output.stderr.trim().slice(-500))}`,
      {
        details: {
          argv: [deps.shimPath, ...args],
          exitCode: output.code,
          stdout: address.slice(0, 500),
          stderr: output.stderr.slice(-2000),
        },
      },
    );
  }
  return address.slice('unix://'.length);
}

function isAddress(text: string): boolean {
  return text.startsWith('unix:///');
}
