import { finished, Readable } from 'node:stream';
import { EngineError, engineError, quote } from '../../errors/index.js';
import { badField, checkBoolean, integer } from '../../spec/index.js';
import { abortError, listenForAbort } from '../../util/signals.js';
import type { ProcessResult, RunningProcess } from './running-process.js';

/** What may be written to a process at once. @public */
export type ProcessInput = string | Uint8Array | Readable;

/**
 * How the process is fed and its output collected. Errors that end it carry `details.stdoutTail` and `stderrTail`: the
 * last 2000 bytes of what it had written.
 *
 * @public
 */
export interface CollectOptions {
  /** Written to the process's stdin (text as UTF-8), which is then ended. A stream is destroyed when the process reads no more. */
  readonly input?: ProcessInput;
  /** More than this many bytes on stdout or stderr ends the process and throws OUTPUT_TOO_LARGE. @defaultValue 64 MiB */
  readonly maxOutputBytes?: number;
  /** Ends the process after this long, milliseconds, and throws TIMED_OUT. @defaultValue no limit */
  readonly timeoutMs?: number;
  /** Throw NON_ZERO_EXIT unless the exit code is 0; details carry exitCode, stdoutTail, stderrTail. @defaultValue false */
  readonly check?: boolean;
  /** Ends the process and throws CANCELED, or TIMED_OUT for a timeout signal. */
  readonly signal?: AbortSignal;
}

const DEFAULT_MAX_OUTPUT = 64 << 20;
/** The longest time that a timer of Node takes; a longer one would fire at once. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

const IDLE_MS = 50;
const MAX_IDLE_CHECKS = 20;

const checkTimeout = integer(1, MAX_TIMEOUT_MS);
const checkMaxOutput = integer(0, Number.MAX_SAFE_INTEGER);

/** Throws BAD_OPTION or BAD_LIMIT. Call it before anything is started. */
export function checkCollectOptions(options: CollectOptions): void {
  const { input, maxOutputBytes, timeoutMs, check } = options;
  if (input !== undefined && !isInput(input)) {
    throw badField('BAD_OPTION', 'input', input, 'is not a string, Uint8Array or Readable');
  }
  if (maxOutputBytes !== undefined) checkMaxOutput('maxOutputBytes', maxOutputBytes);
  if (timeoutMs !== undefined) checkTimeout('timeoutMs', timeoutMs);
  if (check !== undefined) checkBoolean('check', check);
}

function isInput(input: unknown): boolean {
  return typeof input === 'string' || input instanceof Uint8Array || input instanceof Readable;
}

/** Feeds, collects and limits a process until its end. `kill` must end it for certain. */
export async function collectProcess(
  process: RunningProcess,
  options: CollectOptions,
  kill: () => void,
): Promise<ProcessResult> {
  const startedAt = performance.now();
  let failure: Error | undefined;
  const stop = (error: Error): void => {
    failure ??= error;
    kill();
  };
  const { signal, timeoutMs } = options;
  const onAbort = (): void => stop(abortError(signal as AbortSignal));
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(
          () =>
            stop(
              engineError('TIMED_OUT', `the process ran longer than timeoutMs ${timeoutMs}`, {
                details: { timeoutMs },
              }),
            ),
          timeoutMs,
        );
  timer?.unref();
  if (signal?.aborted) onAbort();
  else listenForAbort(signal, onAbort);
  try {
    feed(process, options.input, stop);
    const max = options.maxOutputBytes ?? DEFAULT_MAX_OUTPUT;
    const tooLarge = (stream: string) => (): void =>
      stop(
        engineError('OUTPUT_TOO_LARGE', `${stream} exceeded maxOutputBytes ${max}`, {
          details: { stream, maxOutputBytes: max },
        }),
      );
    const [stdout, stderr, exit] = await Promise.all([
      drain(process, 'stdout', max, tooLarge('stdout')),
      drain(process, 'stderr', max, tooLarge('stderr')),
      process.exit.catch((error: Error) => {
        failure ??= error;
        return { exitCode: -1 };
      }),
    ]);
    if (failure !== undefined) throw withOutput(failure, stdout, stderr);
    const result: ProcessResult = {
      exitCode: exit.exitCode,
      stdout: stdout.toString('utf8'),
      stderr: stderr.toString('utf8'),
      stdoutBytes: stdout,
      stderrBytes: stderr,
      durationMs: performance.now() - startedAt,
    };
    if (options.check === true && exit.exitCode !== 0) throw nonZero(result);
    return result;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
    // A source that was cut off never ended it.
    process.stdin?.destroy();
  }
}

function feed(process: RunningProcess, input: ProcessInput | undefined, stop: (error: Error) => void): void {
  const { stdin } = process;
  if (input === undefined || stdin === undefined) return;
  if (!(input instanceof Readable)) {
    stdin.end(input);
    return;
  }
  let released = false;
  // Also sees a stream that was closed before its end, now or long ago: such a one never ends stdin.
  finished(input, { writable: false }, (cause) => {
    if (!cause || released) return;
    stop(engineError('INPUT_FAILED', `field input failed with ${quote(String(cause))}`, { cause }));
  });
  const release = (): void => {
    released = true;
    input.unpipe(stdin);
    input.destroy();
    stdin.destroy();
  };
  stdin.on('close', release);
  process.exit.then(release, release);
  input.pipe(stdin);
}

function drain(
  process: RunningProcess,
  name: 'stdout' | 'stderr',
  max: number,
  onTooLarge: () => void,
): Promise<Buffer> {
  const stream = process[name];
  const ended = (): void => endWhenIdle(stream);
  process.exit.then(ended, ended);
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    stream.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= max) chunks.push(chunk);
      else if (size - chunk.length <= max) onTooLarge();
    });
    // A torn stream ends what can be collected; the exit tells whether that matters.
    stream.on('error', () => {});
    stream.on('close', () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)));
  });
}

/**
 * A process may leave one behind that keeps its output open (a server that a shell put into the background). What the
 * ended one wrote is in the pipe: once nothing comes any more, or after a second, the output is over.
 */
function endWhenIdle(stream: Readable): void {
  if (stream.closed) return;
  let fresh = false;
  let checks = 0;
  stream.on('data', () => {
    fresh = true;
  });
  // allow timer: cleared when the stream closes, which it does after a second at the latest
  const timer = setInterval(() => {
    // After this turn's reads: a host that was busy has not looked into the pipe yet.
    setImmediate(() => {
      if (fresh && ++checks < MAX_IDLE_CHECKS) fresh = false;
      else stream.destroy();
    });
  }, IDLE_MS);
  stream.once('close', () => clearInterval(timer));
}

function withOutput(error: Error, stdout: Buffer, stderr: Buffer): Error {
  if (!EngineError.is(error)) return error;
  const details = { ...error.details, stdoutTail: tail(stdout), stderrTail: tail(stderr) };
  return new EngineError(error.code, error.reason, error.message, { details, cause: error.cause });
}

function nonZero(result: ProcessResult): Error {
  return engineError('NON_ZERO_EXIT', `the process ended with exit code ${result.exitCode}`, {
    details: { exitCode: result.exitCode, stdoutTail: tail(result.stdoutBytes), stderrTail: tail(result.stderrBytes) },
  });
}

function tail(bytes: Buffer): string {
  return bytes.subarray(Math.max(0, bytes.length - 2000)).toString('utf8');
}
