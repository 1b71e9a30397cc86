import { existsSync, statSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { EngineError, engineError, quote } from '../../../errors/index.js';
import { isAlive } from '../../../os/process-identity.js';
import { errnoOf } from '../../../os/syscalls/index.js';
import { type CallOptions, cleanupSignal, throwIfAborted } from '../../../util/signals.js';
import type { OciRuntime } from '../../oci-runtime.js';
import type { ExitRecord, SupervisedTask, SuperviseRequest, Supervisor, WaitOptions } from '../../supervisor.js';
import { awaitChange } from '../await-change.js';
import { readExitRecord, storeExitRecord } from '../exit-record.js';
import { openPipeWriter, pipeWritable } from '../pipe-writer.js';
import { createUnderShim, shimError } from './create.js';
import { deleteUnderShim } from './delete.js';
import { type ShimFiles, shimFiles } from './files.js';
import { wasOomKilled } from './oom.js';
import type { ShimDeps } from './start.js';
import { decodeState, decodeWait, encodeCloseStdin, encodeId, TASK_SERVICE, type TaskExit } from './task-messages.js';
import { TtrpcClient } from './ttrpc/client.js';

const DEATH_POLL_MS = 500;
/** Longest wait for the logger to write what the container has left in its pipes. */
const DRAIN_MS = 3_000;

/** Supervises containers with containerd-shim-runc-v2, without containerd. */
export function createShimSupervisor(deps: ShimDeps): Supervisor {
  return new ShimSupervisor(deps);
}

class ShimSupervisor implements Supervisor {
  readonly name = 'shim';
  readonly #deps: ShimDeps;

  constructor(deps: ShimDeps) {
    this.#deps = deps;
  }

  async create(request: SuperviseRequest, call: CallOptions = {}): Promise<SupervisedTask> {
    throwIfAborted(call.signal);
    try {
      return await createUnderShim(this.#deps, request, call);
    } catch (error) {
      // The caller's signal may be the reason: cleaning up has its own.
      await this.delete(request, request.runtime, { signal: cleanupSignal(15_000) }).catch(() => {});
      throw error;
    }
  }

  async start(task: SupervisedTask, _runtime: OciRuntime, call: CallOptions = {}): Promise<void> {
    using client = await dial(task, call);
    try {
      await client.call('Start', encodeId(task.id), call);
    } catch (error) {
      throw shimError(error, shimFiles(task));
    }
  }

  async findExit(task: SupervisedTask, call: CallOptions = {}): Promise<ExitRecord | undefined> {
    const stored = readExitRecord(task.exitDir, task.id);
    if (stored !== undefined) return stored;
    try {
      using client = await dial(task, call);
      const state = decodeState(await client.call('State', encodeId(task.id), call));
      return state.status === 'stopped' ? await this.#record(task, state, call) : undefined;
    } catch (error) {
      if (!isShimGone(error)) throw error;
      return lostExit(task);
    }
  }

  async wait(task: SupervisedTask, call: WaitOptions = {}): Promise<ExitRecord> {
    const stored = readExitRecord(task.exitDir, task.id);
    if (stored !== undefined) return stored;
    try {
      using client = await dial(task, call);
      const exit = decodeWait(await client.call('Wait', encodeId(task.id), call));
      return await this.#record(task, exit, call);
    } catch (error) {
      if (!isShimGone(error)) throw error;
      const look = () => readExitRecord(task.exitDir, task.id) ?? lostExit(task);
      return await awaitChange(look, { ...call, dir: task.exitDir, pollMs: DEATH_POLL_MS });
    }
  }

  async openStdin(task: SupervisedTask, call: CallOptions = {}): Promise<Writable> {
    throwIfAborted(call.signal);
    const { stdin } = shimFiles(task);
    try {
      const pipe = openPipeWriter(stdin);
      return pipeWritable(pipe, () => closeStdin(task));
    } catch (error) {
      const errno = errnoOf(error);
      // ENXIO: the shim does not read it any more.
      if (errno !== 'ENOENT' && errno !== 'ENXIO') throw error;
      const message = `stdin of container ${quote(task.id)} is not open`;
      throw engineError('STDIN_CLOSED', message, { details: { id: task.id } });
    }
  }

  async delete(
    task: Pick<SupervisedTask, 'id' | 'bundle' | 'runDir' | 'exitDir'> & Partial<SupervisedTask>,
    runtime: OciRuntime,
    call: CallOptions = {},
  ): Promise<void> {
    await deleteUnderShim(task, runtime, call);
  }

  /** The shim reports the exit as soon as the process is gone; its output may still be on the way to the log. */
  async #record(task: SupervisedTask, exit: TaskExit, call: CallOptions): Promise<ExitRecord> {
    const files = shimFiles(task);
    await drained(files, call);
    const { exitCode, exitedAt } = exit;
    return storeExitRecord(task.exitDir, task.id, { exitCode, exitedAt, oomKilled: wasOomKilled(files.cgroups) });
  }
}

async function dial(task: SupervisedTask, call: CallOptions): Promise<TtrpcClient> {
  if (task.address === undefined) {
    throw engineError('SUPERVISOR_GONE', `container ${quote(task.id)} has no shim address`, {
      details: { id: task.id },
    });
  }
  const client = await TtrpcClient.connect(task.address, TASK_SERVICE, call);
  // The next run's shim listens at the same address: one that answers is ours only while ours lives.
  if (task.supervisorProcess === undefined || isAlive(task.supervisorProcess)) return client;
  client[Symbol.dispose]();
  throw engineError('SUPERVISOR_GONE', `the shim of container ${quote(task.id)} is gone`, { details: { id: task.id } });
}

async function closeStdin(task: SupervisedTask): Promise<void> {
  try {
    using client = await dial(task, {});
    await client.call('CloseIO', encodeCloseStdin(task.id), { signal: cleanupSignal() });
  } catch (error) {
    // A container that has ended meanwhile needs no end of its input.
    if (!isShimGone(error) && !EngineError.is(error, undefined, 'TTRPC_FAILED')) throw error;
  }
}

function isShimGone(error: unknown): boolean {
  return EngineError.is(error, undefined, 'SUPERVISOR_GONE');
}

function lostExit(task: SupervisedTask): ExitRecord | undefined {
  if (isAlive(task.init)) return undefined;
  return storeExitRecord(task.exitDir, task.id, { exitCode: -1, exitedAt: new Date(), oomKilled: false });
}

async function drained(files: ShimFiles, call: CallOptions): Promise<void> {
  if (!existsSync(files.dir)) return;
  const deadline = Date.now() + DRAIN_MS;
  const isDrained = () => statSync(files.drained, { throwIfNoEntry: false }) !== undefined || Date.now() > deadline;
  await awaitChange(() => isDrained() || undefined, { ...call, dir: files.dir, pollMs: 50 });
}
