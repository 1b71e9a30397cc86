import { rmSync, writeFileSync } from 'node:fs';
import { engineError, quote } from '../../errors/index.js';
import { exitStatus } from '../../os/index.js';
import type { OciRuntime } from '../../runtime/oci-runtime.js';
import { buildExecProcess, type HostFacts, openRootfsReader, resolveUser, stringifyProcess } from '../../spec/index.js';
import type { OciProcess } from '../../spec/oci-types.js';
import { newToken } from '../../util/ids.js';
import { type CallOptions, throwIfAborted } from '../../util/signals.js';
import type { Session } from '../ephemeral/session.js';
import { withExitCode } from '../exit-codes.js';
import { signalNumber } from '../signal-number.js';
import { endExec } from './end-exec.js';
import { checkExecOptions, type SpawnOptions } from './exec-options.js';
import { openStdio } from './inline-process.js';
import type { ProcessExit, RunningProcess } from './running-process.js';

/** The container that is entered. */
export interface ExecTarget {
  readonly id: string;
  readonly runtime: OciRuntime;
  /** The container's own process document: what exec inherits. */
  readonly process: OciProcess;
  /** Its root file system as seen from the host. */
  readonly rootfs: string;
}

/** An exec session: the process, and the means to end it for certain. */
export interface ExecSession {
  readonly process: RunningProcess;
  destroy(): void;
}

/** Starts a further process in a running container. It is the host's: it ends when the host dies. */
export function startExec(
  deps: { readonly session: Session; readonly hostFacts: HostFacts },
  target: ExecTarget,
  command: readonly string[],
  options: SpawnOptions = {},
  call: CallOptions = {},
): ExecSession {
  throwIfAborted(call.signal);
  assertCommand(command);
  checkExecOptions(options);
  const user = options.user === undefined ? undefined : resolveUser(openRootfsReader(target.rootfs), options.user, []);
  const { user: _user, stdin: _stdin, signal: _signal, ...rest } = options;
  const document = buildExecProcess(target.process, {
    ...rest,
    command,
    hostFacts: deps.hostFacts,
    ...(user && { user }),
  });
  const dir = deps.session.makeExecDir(target.id, newToken());
  try {
    writeFileSync(`${dir}/process.json`, stringifyProcess(document), { mode: 0o600 });
    const stdio = openStdio({
      tty: options.tty ?? false,
      stdin: options.stdin ?? false,
      ...(options.consoleSize && { consoleSize: options.consoleSize }),
    });
    try {
      const child = target.runtime.exec({
        id: target.id,
        processFile: `${dir}/process.json`,
        pidFile: `${dir}/pid`,
        logFile: `${dir}/log.json`,
        stdin: stdio.stdin,
        stdout: stdio.stdout,
        stderr: stdio.stderr,
        ...(stdio.terminalPath === undefined
          ? { processGroup: deps.session.processGroup() }
          : { newSession: true, terminalPath: stdio.terminalPath }),
      });
      const streams = stdio.attach(child);
      const exit = child.exit.then((ended): ProcessExit => {
        const exitCode = exitStatus(ended);
        const failed = exitCode === 0 ? undefined : target.runtime.readError(`${dir}/log.json`);
        rmSync(dir, { recursive: true, force: true });
        if (failed !== undefined) throw withExitCode(failed);
        return { exitCode };
      });
      let ending = false;
      return {
        process: { ...streams, exit, kill: (signal = 'SIGTERM') => child.kill(signalNumber(signal)) },
        destroy: () => {
          if (!ending) void endExec(dir, target.id, child);
          ending = true;
        },
      };
    } catch (error) {
      stdio.abandon();
      throw error;
    }
  } catch (error) {
    rmSync(dir, { recursive: true, force: true });
    throw error;
  }
}

export function assertCommand(command: unknown): asserts command is readonly string[] {
  const valid =
    Array.isArray(command) &&
    command.length > 0 &&
    command.every((word) => typeof word === 'string' && !word.includes('\0'));
  if (!valid || command[0] === '') {
    throw engineError('NO_COMMAND', `command ${quote(command)} is not a list of strings that begins with a program`, {
      details: { field: 'command', value: quote(command) },
    });
  }
}
