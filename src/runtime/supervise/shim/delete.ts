import { EngineError, engineError, quote } from '../../../errors/index.js';
import type { ProcessIdentity } from '../../../os/process-identity.js';
import { type CallOptions, sleep } from '../../../util/signals.js';
import type { OciRuntime } from '../../oci-runtime.js';
import type { SupervisedTask } from '../../supervisor.js';
import { removeExitRecord } from '../exit-record.js';
import { findProcessesByArgument } from '../find-processes.js';
import { killAndWait } from '../process-end.js';
import { sweepCgroup } from '../sweep-cgroup.js';
import { removeShimFiles, type ShimFiles, shimFiles, shimNamespace, shimSocket } from './files.js';
import { encodeId, encodeKill, encodeShutdown, TASK_SERVICE } from './task-messages.js';
import { TtrpcClient } from './ttrpc/client.js';

/** A shim that does not answer in this time is killed. */
const POLITE_MS = 10_000;
const END_MS = 2_000;
const SIGKILL = 9;

type Deletable = Pick<SupervisedTask, 'id' | 'bundle' | 'runDir' | 'exitDir'> & Partial<SupervisedTask>;

/** Ends container, shim and logger and removes their files, whatever there is of them. */
export async function deleteUnderShim(task: Deletable, runtime: OciRuntime, call: CallOptions): Promise<void> {
  const files = shimFiles(task);
  const socket = shimSocket(files, shimNamespace(runtime.root).namespace, task.id);
  if (findShims(files).length > 0) await askToEnd(task, socket, call);
  await endProcesses(() => findShims(files), task.id, call);
  // Also what a dead or impatient shim left: it forgets a container whose create it gave up.
  await runtime.delete(task.id, call);
  await sweepCgroup(task.bundle, call);
  if (task.init !== undefined) await killAndWait([task.init], END_MS, call);
  await endProcesses(() => findProcessesByArgument(files.drained), task.id, call);
  removeShimFiles(files, socket);
  removeExitRecord(task.exitDir, task.id);
}

/** Every process of this shim, its short-lived `start` too: all carry our directory as their address. */
function findShims(files: ShimFiles): ProcessIdentity[] {
  return findProcessesByArgument(files.dir);
}

async function askToEnd(task: Deletable, socket: string, call: CallOptions): Promise<void> {
  const limit = AbortSignal.timeout(POLITE_MS);
  const options = { signal: call.signal === undefined ? limit : AbortSignal.any([limit, call.signal]) };
  try {
    using client = await TtrpcClient.connect(socket, TASK_SERVICE, options);
    const ask = (method: string, payload: Buffer): Promise<unknown> =>
      client.call(method, payload, options).catch((error) => {
        if (!EngineError.is(error, undefined, 'TTRPC_FAILED')) throw error;
      });
    await ask('Kill', encodeKill(task.id, SIGKILL));
    await ask('Wait', encodeId(task.id));
    await ask('Delete', encodeId(task.id));
    await ask('Shutdown', encodeShutdown(task.id));
  } catch (error) {
    // Its death, at the end of Shutdown at the latest, is what we want; a deadlock is ended by a signal.
    if (call.signal?.aborted) throw error;
  }
}

/** Waits a moment for processes that are ending by themselves, then kills until none is found: a start in progress makes new ones. */
async function endProcesses(find: () => ProcessIdentity[], id: string, call: CallOptions): Promise<void> {
  for (let waitedMs = 0; waitedMs < 200 && find().length > 0; waitedMs += 5)
    await sleep(5, { ...call, keepAlive: true });
  for (let tries = 0; tries < 5; tries++) {
    const left = find();
    if (left.length === 0) return;
    await killAndWait(left, END_MS, call);
  }
  throw engineError('SUPERVISOR_FAILED', `processes of container ${quote(id)} do not die`, {
    details: { id, pids: find().map(({ pid }) => pid) },
  });
}
