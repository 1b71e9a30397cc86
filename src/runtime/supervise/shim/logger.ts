import { engineError, quote } from '../../../errors/index.js';
import { SYSTEM_ENV } from '../../../os/find-executable.js';
import { mkfifo } from '../../../os/syscalls/index.js';
import type { CallOptions } from '../../../util/signals.js';
import { startDaemon } from '../../daemon-starter.js';
import type { Spawner } from '../../oci-runtime.js';
import type { ShimFiles } from './files.js';
import { LOGGER_SCRIPT } from './logger-script.js';

/** What the script says when its FIFOs are open. */
const READY = 'ready\n';

export interface LoggerDeps {
  readonly perlPath: string;
  readonly spawner: Spawner;
}

/**
 * Makes the output FIFOs and starts the process that logs them; it outlives this host. When the promise resolves, it
 * holds them open: the shim would wait 30 s for a reader otherwise.
 * A FIFO with a process of ours, because the shim's own `binary://` loggers leave the container without stdin.
 */
export async function startLogger(
  deps: LoggerDeps,
  files: ShimFiles,
  request: { logFile: string; terminal: boolean },
  call: CallOptions,
): Promise<void> {
  const fifos = request.terminal ? [files.stdout] : [files.stdout, files.stderr];
  for (const path of fifos) mkfifo(path, 0o600);
  const args = ['-e', LOGGER_SCRIPT, request.logFile, files.drained, ...fifos];
  const spawn = { file: deps.perlPath, args, env: SYSTEM_ENV, cwd: '/' };
  const output = await startDaemon(deps.spawner, spawn, (stdout) => stdout === READY, call);
  if (output.stdout !== READY) {
    const stderr = output.stderr.slice(-2000);
    throw engineError('SUPERVISOR_FAILED', `the logger could not start: ${quote(stderr.trim())}`, {
      details: { argv: [deps.perlPath, ...args], exitCode: output.code, stderr },
    });
  }
}
