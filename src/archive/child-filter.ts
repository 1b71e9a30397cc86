import type { Writable } from 'node:stream';
import { engineError, quote } from '../errors/index.js';
import { type Child, findExecutable, SYSTEM_ENV, spawnChild } from '../os/index.js';
import { abortError, type CallOptions, listenForAbort } from '../util/signals.js';
import { openRecycledPipe } from './recycled-pipe.js';

/**
 * Runs a stream through a program. Throws TOOL_MISSING when the host lacks it and BAD_ARCHIVE when it fails; the
 * program is gone when the iteration is over, however it ended.
 */
export async function* filterThroughChild(
  source: AsyncIterable<Uint8Array>,
  program: string,
  args: readonly string[],
  call: CallOptions & { readonly recycles?: boolean } = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const file = findExecutable(program);
  if (file === undefined) {
    throw engineError('TOOL_MISSING', `unpacking ${program} data needs the program ${quote(program)}`, {
      details: { program },
    });
  }
  const output = call.recycles ? openRecycledPipe() : undefined;
  let child: Child;
  try {
    child = spawnChild({ file, args, env: SYSTEM_ENV, stdin: 'pipe', stdout: output?.writeFd ?? 'pipe' });
  } finally {
    output?.closeWriteFd();
  }
  const stdin = child.stdin as Writable;
  const feeder = new AbortController();
  const feeding = feed(source, stdin, feeder.signal);
  const complaint = tail(child.stderr as AsyncIterable<Buffer>);
  const onAbort = () => child.kill('SIGKILL');
  listenForAbort(call.signal, onAbort);
  try {
    yield* output?.read() ?? (child.stdout as AsyncIterable<Uint8Array>);
    const failure = await feeding;
    const exit = await child.exit;
    if (call.signal?.aborted) throw abortError(call.signal);
    if (failure !== undefined) throw failure.error;
    if (exit.code !== 0) {
      throw engineError('BAD_ARCHIVE', `the ${program} data is broken or truncated`, {
        details: { argv: [file, ...args], exitCode: exit.code, stderr: await complaint },
      });
    }
  } finally {
    call.signal?.removeEventListener('abort', onAbort);
    feeder.abort();
    child.kill('SIGKILL');
    stdin.destroy();
    child.stdout?.destroy();
    output?.close();
    await child.exit;
  }
}

/** Writes the source to the program. An error of the source ends the input and is returned; that the program stops reading is none. */
async function feed(
  source: AsyncIterable<Uint8Array>,
  stdin: Writable,
  signal: AbortSignal,
): Promise<{ error: unknown } | undefined> {
  try {
    for await (const chunk of source) {
      if (signal.aborted || stdin.destroyed) break;
      // Not until it drains: the source may use the chunk's memory again. Destroyed, the stream calls back, too.
      await new Promise((resolve) => stdin.write(chunk, resolve));
    }
    return undefined;
  } catch (error) {
    return { error };
  } finally {
    stdin.end();
  }
}

async function tail(stream: AsyncIterable<Buffer>): Promise<string> {
  let text = '';
  try {
    for await (const chunk of stream) text = (text + chunk.toString('utf8')).slice(-2000);
  } catch {
    // The pipe went with the child.
  }
  return text;
}
