import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { EngineError, engineError, quote } from '../../../errors/index.js';
import { makePrivateDir } from '../../../os/private-dir.js';
import { identifyProcess, type ProcessIdentity } from '../../../os/process-identity.js';
import { mkfifo } from '../../../os/syscalls/index.js';
import type { CallOptions } from '../../../util/signals.js';
import { classifyMessage, runtimeError } from '../../cli/runtime-error.js';
import { readLastErrorMessage } from '../../cli/runtime-log.js';
import type { SupervisedTask, SuperviseRequest } from '../../supervisor.js';
import { removeExitRecord } from '../exit-record.js';
import { removeShimFiles, type ShimFiles, shimFiles, shimNamespace, shimSocket } from './files.js';
import { startLogger } from './logger.js';
import { noteMemoryCgroup } from './oom.js';
import { type ShimDeps, startShim } from './start.js';
import { decodePid, decodeShimPid, encodeCreate, encodeId, TASK_SERVICE } from './task-messages.js';
import { TtrpcClient } from './ttrpc/client.js';

/** Starts shim and logger and has the container created. What a failure leaves, the caller deletes. */
export async function createUnderShim(
  deps: ShimDeps,
  request: SuperviseRequest,
  call: CallOptions,
): Promise<SupervisedTask> {
  const { id, bundle, runDir, exitDir, runtime, terminal } = request;
  const files = shimFiles(request);
  const { namespace, rootOption } = shimNamespace(runtime.root);
  removeShimFiles(files, shimSocket(files, namespace, id));
  removeExitRecord(exitDir, id);
  makePrivateDir(files.dir);
  if (request.stdin) mkfifo(files.stdin, 0o600);
  const started = await Promise.allSettled([
    startShim(deps, { files, bundle, namespace, id }, call),
    startLogger(deps, files, request, call),
  ]);
  for (const result of started) if (result.status === 'rejected') throw result.reason;
  const address = (started[0] as PromiseFulfilledResult<string>).value;

  using client = await TtrpcClient.connect(address, TASK_SERVICE, call);
  const shim = identifyProcess(
    decodeShimPid(await client.call('Connect', encodeId(id), call).catch(() => Buffer.alloc(0))),
  );
  const create = encodeCreate({
    id,
    bundle,
    terminal,
    stdin: request.stdin ? fifoName(bundle, files.stdin) : '',
    stdout: fifoName(bundle, files.stdout),
    stderr: terminal ? '' : fifoName(bundle, files.stderr),
    binaryName: runtime.binary.path,
    root: rootOption,
  });
  const pid = decodePid(
    await client.call('Create', create, call).catch((error) => Promise.reject(shimError(error, files))),
  );
  const init = identifyProcess(pid);
  if (init === undefined) {
    throw engineError('SUPERVISOR_FAILED', `container ${quote(id)} ended while it was created`, {
      details: { id, pid },
    });
  }
  noteMemoryCgroup(pid, files.cgroups);
  setOomScore(shim, request.oomScoreAdj);
  return { supervisor: 'shim', id, bundle, runDir, exitDir, supervisorProcess: shim, init, address };
}

/** The error behind a refusal of the shim: the runtime's own where it left one. */
export function shimError(error: unknown, files: ShimFiles): unknown {
  if (!EngineError.is(error, undefined, 'TTRPC_FAILED')) return error;
  const logged = readLastErrorMessage(files.runtimeLog);
  if (logged !== undefined) return runtimeError(logged);
  const message = String(error.details.message ?? '');
  const bare = message.replace(/^OCI runtime \w+ failed: /, '').replace(/: unknown$/, '');
  if (bare !== message || classifyMessage(bare) !== 'RUNTIME_FAILED') return runtimeError(bare);
  return error;
}

/** The shim parses names of FIFOs as URLs; its working directory is the bundle, whose own path may be no good for one. */
function fifoName(bundle: string, path: string): string {
  return /[%\u0000-\u001f\u007f]/.test(path) ? relative(bundle, path) : path;
}

function setOomScore(shim: ProcessIdentity | undefined, score: number | undefined): void {
  if (shim === undefined || score === undefined) return;
  try {
    writeFileSync(`/proc/${shim.pid}/oom_score_adj`, String(score));
  } catch {
    // Lowering it needs a capability; the shim works without.
  }
}
