import { finished, Readable } from 'node:stream';
import { EngineError, engineError } from '../../errors/index.js';
import { abortError } from '../../util/signals.js';
import type { ProcessResult, RunningProcess } from './running-process.js';

/** What may be written to a process at once. @public */
export type ProcessInput = string | Uint8Array | Readable;

/** How output is collected. @public */
export interface CollectOptions {
  /** Written to the process's stdin, which is then ended. */
  readonly input?: ProcessInput;
  /** More than this many bytes on stdout or stderr ends the process and throws OUTPUT_TOO_LARGE. @defaultValue 64 MiB */
  readonly maxOutputBytes?: number;
  /** Ends the process after this long and throws TIMED_OUT. @defaultValue no limit */
  readonly timeoutMs?: number;
  /** Throw NON_ZERO_EXIT unless the exit code is 0. @defaultValue false */
  readonly check?: boolean;
  readonly signal?: AbortSignal;
}

const DEFAULT_MAX_OUTPUT = 64 << 20;

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
  else signal?.addEventListener('abort', onAbort, { once: true });
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
      drain(process.stdout, max, tooLarge('stdout')),
      drain(process.stderr, max, tooLarge('stderr')),
      process.exit,
    ]).catch((error: unknown) => {
      throw failure ?? error;
    });
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
  if (input === undefined || process.stdin === undefined) return;
  if (!(input instanceof Readable)) {
    process.stdin.end(input);
    return;
  }
  // A torn source never ends stdin: the process would wait for ever, and the error would end the host.
  finished(input, { writable: false }, (cause) => {
    if (cause) stop(engineError('INPUT_FAILED', 'the input stream failed before its end', { cause }));
  });
  input.pipe(process.stdin);
}

function drain(stream: Readable, max: number, onTooLarge: () => void): Promise<Buffer> {
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
