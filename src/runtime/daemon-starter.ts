import type { SpawnRequest } from '../os/child.js';
import { type CallOptions, raceSignal, throwIfAborted } from '../util/signals.js';
import type { Spawner } from './oci-runtime.js';

/** What a daemon's starter said. `code` is absent where it has said all before its end was seen. */
export interface StarterOutput {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number | null | undefined;
}

/**
 * Starts a program that leaves a daemon behind and is done when it closes its stdout. `isDone` says whether that output
 * is the whole answer; then its end is not waited for, which can only be polled and would cost milliseconds.
 */
export async function startDaemon(
  spawner: Spawner,
  request: SpawnRequest,
  isDone: (stdout: string) => boolean,
  call: CallOptions,
): Promise<StarterOutput> {
  throwIfAborted(call.signal);
  const child = spawner.spawn({ ...request, stdout: 'pipe', stderr: 'pipe', newSession: true, exitWatch: 'poll' });
  const stderr = collect(child.stderr);
  try {
    const stdout = await raceSignal(collect(child.stdout), call.signal);
    if (isDone(stdout)) {
      child.unref();
      return { stdout, stderr: '', code: undefined };
    }
    const [errors, exit] = await raceSignal(Promise.all([stderr, child.exit]), call.signal);
    return { stdout, stderr: errors, code: exit.code };
  } finally {
    child.stdout?.destroy();
    child.stderr?.destroy();
    stderr.catch(() => {});
  }
}

async function collect(stream: AsyncIterable<Buffer> | undefined): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream ?? []) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
