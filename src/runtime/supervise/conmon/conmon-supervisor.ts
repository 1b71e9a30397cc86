import { statSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { engineError, quote } from '../../../errors/index.js';
import { isAlive } from '../../../os/process-identity.js';
import { type CallOptions, cleanupSignal, throwIfAborted } from '../../../util/signals.js';
import type { OciRuntime } from '../../oci-runtime.js';
import type { ExitRecord, SupervisedTask, SuperviseRequest, Supervisor, WaitOptions } from '../../supervisor.js';
import { awaitChange } from '../await-change.js';
import { markOom, readExitRecord, removeExitRecord, storeExitRecord } from '../exit-record.js';
import { findProcessesByArgument } from '../find-processes.js';
import { killAndWait } from '../process-end.js';
import { sweepCgroup } from '../sweep-cgroup.js';
import { type ConmonCreateDeps, createUnderConmon, findConmon } from './create.js';
import { type ConmonFiles, conmonFiles, removeConmonFiles } from './files.js';
import { openConmonStdin } from './stdin.js';
import { readSyncAnswer } from './sync-answer.js';

/** Longest wait for a create that another, dead host began. */
const SETTLE_MS = 5_000;
const DEATH_POLL_MS = 500;

/** Supervises containers with conmon: one process of about 2 MB per container, exit codes as files. */
export function createConmonSupervisor(deps: ConmonCreateDeps): Supervisor {
  return new ConmonSupervisor(deps);
}

class ConmonSupervisor implements Supervisor {
  readonly name = 'conmon';
  readonly #deps: ConmonCreateDeps;

  constructor(deps: ConmonCreateDeps) {
    this.#deps = deps;
  }

  async create(request: SuperviseRequest, call: CallOptions = {}): Promise<SupervisedTask> {
    throwIfAborted(call.signal);
    try {
      return await createUnderConmon(this.#deps, request, call);
    } catch (error) {
      // The caller's signal may be the reason: cleaning up has its own.
      await this.delete(request, request.runtime, { signal: cleanupSignal(15_000) }).catch(() => {});
      throw error;
    }
  }

  async start(task: SupervisedTask, runtime: OciRuntime, call: CallOptions = {}): Promise<void> {
    await runtime.start(task.id, call);
  }

  findExit(task: SupervisedTask): Promise<ExitRecord | undefined> {
    return Promise.resolve(findExitNow(task));
  }

  async wait(task: SupervisedTask, call: WaitOptions = {}): Promise<ExitRecord> {
    return await awaitChange(() => findExitNow(task), {
      ...call,
      dir: task.exitDir,
      pollMs: DEATH_POLL_MS,
    });
  }

  async openStdin(task: SupervisedTask, call: CallOptions = {}): Promise<Writable> {
    throwIfAborted(call.signal);
    return openConmonStdin(task);
  }

  async delete(
    task: Pick<SupervisedTask, 'id' | 'bundle' | 'runDir' | 'exitDir'> & Partial<SupervisedTask>,
    runtime: OciRuntime,
    call: CallOptions = {},
  ): Promise<void> {
    const files = conmonFiles(task);
    let supervisors = findProcessesByArgument(files.conmonPid);
    if (supervisors.length > 0 && readSyncAnswer(files.sync) === undefined) {
      await settleCreate(files, call);
      supervisors = findProcessesByArgument(files.conmonPid);
    }
    // conmon first: its exit record and exit command are not for a container that is being removed.
    if (!(await killAndWait(supervisors, SETTLE_MS, call))) {
      throw engineError('SUPERVISOR_FAILED', `conmon of container ${quote(task.id)} does not die`, {
        details: { id: task.id, pids: supervisors.map(({ pid }) => pid) },
      });
    }
    // Dead before the runtime looks: runc's forced delete sleeps 100 ms between its kill and its next look.
    if (task.init !== undefined) await killAndWait([task.init], SETTLE_MS, call);
    await runtime.delete(task.id, call);
    await sweepCgroup(task.bundle, call);
    removeConmonFiles(files);
    removeExitRecord(task.exitDir, task.id);
  }
}

/**
 * Lets a create under way come to its end: killing conmon kills the runtime too, which would leave behind
 * what it has not written down yet (a cgroup, an init that waits).
 */
async function settleCreate(files: ConmonFiles, call: CallOptions): Promise<void> {
  const deadline = Date.now() + SETTLE_MS;
  await awaitChange(
    () =>
      readSyncAnswer(files.sync) !== undefined ||
      findProcessesByArgument(files.conmonPid).length === 0 ||
      Date.now() > deadline ||
      undefined,
    { ...call, dir: files.dir, pollMs: 20 },
  );
}

function findExitNow(task: SupervisedTask): ExitRecord | undefined {
  const conmon = task.supervisorProcess ?? findConmon(conmonFiles(task));
  const conmonLives = conmon !== undefined && isAlive(conmon);
  noteOom(task);
  const record = readExitRecord(task.exitDir, task.id);
  if (record !== undefined || conmonLives || isAlive(task.init)) return record;
  // Nobody is left who could write one.
  return storeExitRecord(task.exitDir, task.id, { exitCode: -1, exitedAt: new Date(), oomKilled: false });
}

function noteOom(task: SupervisedTask): void {
  if (statSync(conmonFiles(task).oom, { throwIfNoEntry: false }) !== undefined) markOom(task.exitDir, task.id);
}
