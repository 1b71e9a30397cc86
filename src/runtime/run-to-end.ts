import type { RunOutput, SpawnRequest } from '../os/child.js';
import { abortError, type CallOptions, listenForAbort, throwIfAborted } from '../util/signals.js';
import type { Spawner } from './oci-runtime.js';

const MAX_OUTPUT_BYTES = 1 << 20;

/** Runs a short-lived tool to its end and keeps the first MiB of each stream. An aborted call kills it and throws CANCELED. */
export async function runToEnd(spawner: Spawner, request: SpawnRequest, call: CallOptions = {}): Promise<RunOutput> {
  throwIfAborted(call.signal);
  const child = spawner.spawn(request);
  const onAbort = () => child.kill('SIGKILL');
  listenForAbort(call.signal, onAbort);
  try {
    const [stdout, stderr, exit] = await Promise.all([collect(child.stdout), collect(child.stderr), child.exit]);
    if (call.signal?.aborted) throw abortError(call.signal);
    return { ...exit, stdout: stdout.toString('utf8'), stderr: stderr.toString('utf8') };
  } finally {
    call.signal?.removeEventListener('abort', onAbort);
  }
}

async function collect(stream: AsyncIterable<Buffer> | undefined): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream ?? []) {
    if (size < MAX_OUTPUT_BYTES) chunks.push(chunk);
    size += chunk.length;
  }
  return Buffer.concat(chunks);
}
