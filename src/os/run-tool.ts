import { constants } from 'node:os';
import { engineError, quote } from '../errors/index.js';
import { abortError, type CallOptions, throwIfAborted } from '../util/signals.js';
import type { RunOutput } from './child.js';
import { SYSTEM_ENV } from './find-executable.js';

/** Limits of a tool's run. */
export interface ToolOptions extends CallOptions {
  /** SIGTERM after this long, SIGKILL half a second later, and TIMED_OUT. @defaultValue 10000 */
  readonly timeoutMs?: number;
  /** More on stdout or stderr ends the tool and throws TOOL_FAILED. @defaultValue 1 MiB */
  readonly maxOutputBytes?: number;
  /** The whole environment. @defaultValue PATH of the system's directories and LC_ALL=C */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Runs a program of the host on a cold path (a version probe, a diagnosis), where a patient kill matters more than
 * a quick start: `spawnChild` is for all others, because this forks with the host's whole address space. Stdin is
 * empty. An exit status is returned, whatever it is.
 *
 * Throws TOOL_MISSING when there is no such program, TOOL_FAILED when it can't be started or says too much,
 * TIMED_OUT and CANCELED.
 */
export async function runTool(file: string, args: readonly string[], options: ToolOptions = {}): Promise<RunOutput> {
  const { signal, timeoutMs = 10_000, maxOutputBytes = 1 << 20, env = SYSTEM_ENV } = options;
  throwIfAborted(signal);
  const { execa } = await import('execa');
  const result = await execa(file, args, {
    env,
    extendEnv: false,
    stdin: 'ignore',
    timeout: timeoutMs,
    forceKillAfterDelay: 500,
    maxBuffer: maxOutputBytes,
    encoding: 'buffer',
    stripFinalNewline: false,
    reject: false,
    // It would put signal handlers into the host process.
    cleanup: false,
    ...(signal && { cancelSignal: signal }),
  });
  const stdout = Buffer.from(result.stdout).toString('utf8');
  const stderr = Buffer.from(result.stderr).toString('utf8');
  const details = { argv: [file, ...args], exitCode: result.exitCode ?? null, stderr: stderr.slice(-2000) };
  if (signal?.aborted && result.isCanceled) throw abortError(signal);
  if (result.timedOut) {
    throw engineError('TIMED_OUT', `${quote(file)} ran longer than ${timeoutMs} ms`, { details });
  }
  if (result.isMaxBuffer) {
    throw engineError('TOOL_FAILED', `${quote(file)} wrote more than ${maxOutputBytes} bytes`, { details });
  }
  if (result.exitCode === undefined && result.signal === undefined) throw notStarted(file, details, result.cause);
  const number = result.signal === undefined ? null : constants.signals[result.signal as NodeJS.Signals];
  return { code: result.exitCode ?? null, signal: number, stdout, stderr };
}

function notStarted(file: string, details: Readonly<Record<string, unknown>>, cause: unknown): Error {
  const errno = (cause as NodeJS.ErrnoException | undefined)?.code ?? 'unknown';
  const reason = errno === 'ENOENT' ? 'TOOL_MISSING' : 'TOOL_FAILED';
  return engineError(reason, `${quote(file)} can't be started (${errno})`, { details: { ...details, errno }, cause });
}
