import { existsSync } from 'node:fs';
import { type EngineError, engineError, quote } from '../../errors/index.js';
import type { Child, RunOutput } from '../../os/child.js';
import { SYSTEM_ENV } from '../../os/find-executable.js';
import { assertSafeName } from '../../util/ids.js';
import { type CallOptions, sleep } from '../../util/signals.js';
import type {
  ExecRequest,
  OciRuntime,
  RunRequest,
  RuntimeBinary,
  RuntimeState,
  RuntimeStatus,
  Spawner,
} from '../oci-runtime.js';
import { runToEnd } from '../run-to-end.js';
import { deleteArgs, execArgs, globalArgs, killArgs, runArgs, startArgs, stateArgs } from './args.js';
import {
  classifyMessage,
  type FailedCall,
  runtimeError,
  saysNotRunning,
  saysUnknownContainer,
} from './runtime-error.js';
import { messageOfStderr, readLastErrorMessage } from './runtime-log.js';
import { withUmask } from './with-umask.js';

export interface CliRuntimeDeps {
  readonly binary: RuntimeBinary;
  /** State directory of the runtime's containers. */
  readonly root: string;
  readonly spawner: Spawner;
  /** File to execute for run and exec instead of `binary.path`, such as a sealed copy. Asked at each call. */
  readonly sealedPath?: () => string | undefined;
}

/** An OCI runtime driven through its command line: runc, crun and what takes the same arguments. */
export function createCliRuntime(deps: CliRuntimeDeps): OciRuntime {
  return new CliRuntime(deps);
}

const STATUSES: readonly RuntimeStatus[] = ['creating', 'created', 'running', 'paused', 'stopped'];
const DELETE_TRIES = 5;

class CliRuntime implements OciRuntime {
  readonly binary: RuntimeBinary;
  readonly root: string;
  readonly #spawner: Spawner;
  readonly #sealedPath: (() => string | undefined) | undefined;

  constructor(deps: CliRuntimeDeps) {
    this.binary = deps.binary;
    this.root = deps.root;
    this.#spawner = deps.spawner;
    this.#sealedPath = deps.sealedPath;
  }

  globalArgs(logFile: string | undefined): readonly string[] {
    return globalArgs(this.root, logFile);
  }

  run(request: RunRequest): Child {
    assertSafeName('id', request.id);
    return this.#foreground(request, this.#argv(request, runArgs(request)));
  }

  exec(request: ExecRequest): Child {
    assertSafeName('id', request.id);
    const argv = this.#argv(request, execArgs(request));
    return this.#foreground(request, this.binary.flavor === 'crun' ? argv : withUmask(argv));
  }

  async start(id: string, call: CallOptions = {}): Promise<void> {
    const { output, failed } = await this.#verb(id, startArgs(id), call);
    if (output.code !== 0) throw runtimeError(messageOfStderr(output.stderr), failed);
  }

  async kill(id: string, signal: string | number, options: CallOptions & { all?: boolean } = {}): Promise<boolean> {
    const { output, failed } = await this.#verb(id, killArgs(id, signal, options.all ?? false), options);
    if (output.code === 0) return true;
    const message = messageOfStderr(output.stderr);
    if (saysUnknownContainer(message) || saysNotRunning(message)) return false;
    throw runtimeError(message, failed);
  }

  async delete(id: string, call: CallOptions = {}): Promise<void> {
    for (let tries = 1; ; tries++) {
      const { output, failed } = await this.#verb(id, deleteArgs(id), call);
      if (output.code === 0) return;
      const message = messageOfStderr(output.stderr);
      // runc complains about a state directory without a state but removes it.
      if (saysUnknownContainer(message) || !existsSync(`${this.root}/${id}`)) return;
      if (tries === DELETE_TRIES) throw runtimeError(message, failed);
      // A process that was killed a moment ago may still hold its cgroup.
      await sleep(20 * tries, { ...call, keepAlive: true });
    }
  }

  async state(id: string, call: CallOptions = {}): Promise<RuntimeState | undefined> {
    const { output, failed } = await this.#verb(id, stateArgs(id), call);
    if (output.code !== 0) {
      const message = messageOfStderr(output.stderr);
      if (saysUnknownContainer(message)) return undefined;
      throw runtimeError(message, failed);
    }
    return parseState(id, output.stdout, failed);
  }

  /**
   * With an empty log the fallback's stderr decides, but only when it is nothing but a runtime's own words about the
   * command that it could not execute: the same stream carries the container's output.
   */
  readError(logFile: string, fallback?: FailedCall): EngineError | undefined {
    const logged = readLastErrorMessage(logFile);
    if (logged !== undefined) return runtimeError(logged, fallback);
    if (fallback === undefined || fallback.stderr.trim().includes('\n')) return undefined;
    const message = messageOfStderr(fallback.stderr);
    return classifyMessage(message) === 'RUNTIME_FAILED' ? undefined : runtimeError(message, fallback);
  }

  #argv(request: RunRequest | ExecRequest, args: readonly string[]): readonly string[] {
    return [this.#sealedPath?.() ?? this.binary.path, ...globalArgs(this.root, request.logFile), ...args];
  }

  #foreground(request: RunRequest | ExecRequest, [file, ...args]: readonly string[]): Child {
    return this.#spawner.spawn({
      file: file as string,
      args,
      env: SYSTEM_ENV,
      stdin: request.stdin,
      stdout: request.stdout,
      stderr: request.stderr,
      ...(request.processGroup === undefined ? {} : { processGroup: request.processGroup }),
      ...(request.newSession === undefined ? {} : { newSession: request.newSession }),
      ...(request.terminalPath === undefined ? {} : { terminalPath: request.terminalPath }),
    });
  }

  async #verb(
    id: string,
    args: readonly string[],
    call: CallOptions,
  ): Promise<{ output: RunOutput; failed: FailedCall }> {
    assertSafeName('id', id);
    // The log goes nowhere: with one named, stderr carries the bare message instead of a formatted log line.
    const argv = [...globalArgs(this.root, '/dev/null'), ...args];
    const output = await runToEnd(this.#spawner, { file: this.binary.path, args: argv, env: SYSTEM_ENV }, call);
    return {
      output,
      failed: { argv: [this.binary.path, ...argv], exitCode: output.code, stderr: output.stderr },
    };
  }
}

function parseState(id: string, stdout: string, failed: FailedCall): RuntimeState {
  try {
    const { status, pid } = JSON.parse(stdout) as { status?: unknown; pid?: unknown };
    if (STATUSES.includes(status as RuntimeStatus) && Number.isInteger(pid)) {
      return { id, status: status as RuntimeStatus, pid: pid as number };
    }
  } catch {
    // Reported below.
  }
  throw engineError('RUNTIME_FAILED', `the runtime's answer to state ${quote(stdout.slice(0, 200))} is not a state`, {
    details: { argv: failed.argv, exitCode: failed.exitCode },
  });
}
