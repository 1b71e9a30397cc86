import { closeSync, openSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { type EngineError, engineError, quote } from '../../../errors/index.js';
import type { Child, ChildExit } from '../../../os/child.js';
import { SYSTEM_ENV } from '../../../os/find-executable.js';
import { makePrivateDir } from '../../../os/private-dir.js';
import { identifyProcess, type ProcessIdentity } from '../../../os/process-identity.js';
import type { CallOptions } from '../../../util/signals.js';
import { classifyMessage, runtimeError } from '../../cli/runtime-error.js';
import { readLastErrorMessage } from '../../cli/runtime-log.js';
import type { Spawner } from '../../oci-runtime.js';
import type { SupervisedTask, SuperviseRequest } from '../../supervisor.js';
import { awaitChange } from '../await-change.js';
import { removeExitRecord } from '../exit-record.js';
import { commandLine } from '../find-processes.js';
import { conmonArgs } from './args.js';
import { type ConmonFiles, conmonFiles, removeConmonFiles } from './files.js';
import { noteStdinPipe } from './stdin.js';
import { readSyncAnswer, type SyncAnswer } from './sync-answer.js';

export interface ConmonCreateDeps {
  readonly conmonPath: string;
  readonly spawner: Spawner;
}

/** Starts conmon and waits until it has created the container. What a failure leaves, the caller deletes. */
export async function createUnderConmon(
  deps: ConmonCreateDeps,
  request: SuperviseRequest,
  call: CallOptions,
): Promise<SupervisedTask> {
  const files = conmonFiles(request);
  removeConmonFiles(files);
  removeExitRecord(request.exitDir, request.id);
  makePrivateDir(files.dir);
  const child = startConmon(deps, request, files);
  const answer = await awaitAnswer(child, files, call);
  // Its pid file is there when the first process has ended.
  await child.exit;
  if ('message' in answer) throw createError(answer.message, request, files);
  const init = identifyProcess(answer.pid);
  const conmon = findConmon(files);
  if (init === undefined || conmon === undefined) {
    throw engineError('SUPERVISOR_FAILED', `container ${quote(request.id)} ended while it was created`, {
      details: { id: request.id, pid: answer.pid, log: readLastErrorMessage(files.runtimeLog) ?? '' },
    });
  }
  if (request.stdin) noteStdinPipe(init.pid, files.stdin);
  setOomScore(conmon, request.oomScoreAdj);
  return {
    supervisor: 'conmon',
    id: request.id,
    bundle: request.bundle,
    runDir: request.runDir,
    exitDir: request.exitDir,
    supervisorProcess: conmon,
    init,
  };
}

/** The conmon process that wrote our pid file, if it lives. */
export function findConmon(files: ConmonFiles): ProcessIdentity | undefined {
  const pid = Number(readText(files.conmonPid));
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  const identity = identifyProcess(pid);
  // The number may be another process's by now; conmon's command line names our pid file.
  return identity !== undefined && commandLine(pid).includes(files.conmonPid) ? identity : undefined;
}

function startConmon(deps: ConmonCreateDeps, request: SuperviseRequest, files: ConmonFiles): Child {
  let logPath = request.logFile;
  if (logPath.includes(':')) {
    // Relative to conmon's working directory, which may hold a colon too.
    symlinkSync(logPath, files.logLink);
    logPath = 'log';
  }
  // Files in place of pipes: a host that dies now breaks nothing, and the answer waits for the next one.
  const fds = [openSync(files.sync, 'ax', 0o600), openSync(files.stderr, 'ax', 0o600)];
  const [syncFd, stderrFd] = fds as [number, number];
  try {
    return deps.spawner.spawn({
      file: deps.conmonPath,
      args: conmonArgs(request, files, logPath),
      // A UTF-8 locale: in the C locale conmon refuses arguments that are not ASCII.
      env: { ...SYSTEM_ENV, LC_ALL: 'C.UTF-8', TZ: 'UTC', _OCI_SYNCPIPE: '3' },
      cwd: files.dir,
      stdin: 'null',
      stdout: 'null',
      stderr: stderrFd,
      extraFds: [syncFd],
      newSession: true,
      exitWatch: 'poll',
    });
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}

async function awaitAnswer(child: Child, files: ConmonFiles, call: CallOptions): Promise<SyncAnswer> {
  let forked: ChildExit | undefined;
  child.exit.then((exit) => {
    forked = exit;
  });
  return await awaitChange<SyncAnswer>(
    () => {
      // Order matters: conmon answers before it ends, so a dead conmon's answer is final.
      const ended = forked !== undefined && (forked.code !== 0 || findConmon(files) === undefined);
      return readSyncAnswer(files.sync) ?? (ended ? { message: '' } : undefined);
    },
    { ...call, dir: files.dir, pollMs: 25 },
  );
}

function createError(message: string, request: SuperviseRequest, files: ConmonFiles): EngineError {
  const logged = readLastErrorMessage(files.runtimeLog);
  if (logged !== undefined) return runtimeError(logged);
  if (message !== '' && classifyMessage(message) !== 'RUNTIME_FAILED') return runtimeError(message);
  const stderr = readText(files.stderr).slice(-2000);
  return engineError(
    'SUPERVISOR_FAILED',
    `conmon could not create container ${quote(request.id)}: ${quote(message || stderr.trim())}`,
    {
      details: { id: request.id, message, stderr },
    },
  );
}

function setOomScore(conmon: ProcessIdentity, score: number | undefined): void {
  if (score === undefined) return;
  try {
    writeFileSync(`/proc/${conmon.pid}/oom_score_adj`, String(score));
  } catch {
    // Lowering it needs a capability; conmon works without.
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
