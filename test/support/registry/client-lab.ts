import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { EngineError, type Reason } from '#src/errors/index.js';
import { RegistryClient, type RegistryClientOptions } from '#src/registry/index.js';

/** A client that sees nothing of the machine it runs on, with limits that suit tests; closed with the test. */
export function testClient(
  t: { after(work: () => void | Promise<void>): void },
  options: RegistryClientOptions = {},
): RegistryClient {
  const client = new RegistryClient({
    env: { PATH: process.env['PATH'], HOME: '/nonexistent' },
    certsDirs: [],
    ...options,
    limits: {
      retryDelayMs: 20,
      maxRetryDelayMs: 100,
      headersTimeoutMs: 5_000,
      idleTimeoutMs: 5_000,
      ...options.limits,
    },
  });
  t.after(() => client.close());
  return client;
}

export interface TestBlob {
  readonly digest: string;
  readonly size: number;
  readonly bytes: Buffer;
  /** Offsets at which it was opened. */
  readonly opened: number[];
  open(offset: number): Readable;
}

/** Bytes as an upload wants them: in pieces of 64 KiB. */
export function testBlob(content: number | string | Uint8Array): TestBlob {
  const bytes = typeof content === 'number' ? randomBytes(content) : Buffer.from(content as string);
  const opened: number[] = [];
  function* pieces(from: number) {
    for (let at = from; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
  }
  return {
    digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}`,
    size: bytes.length,
    bytes,
    opened,
    open: (offset) => {
      opened.push(offset);
      return Readable.from(pieces(offset), { objectMode: false });
    },
  };
}

export async function readAll(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Asserts that a promise rejects with an EngineError of this reason; gives the error. */
export async function rejectsReason(promise: Promise<unknown>, reason: Reason): Promise<EngineError> {
  try {
    await promise;
  } catch (error) {
    assert.ok(EngineError.is(error), String((error as Error)?.stack ?? error));
    assert.equal(error.reason, reason, error.message);
    return error;
  }
  assert.fail(`nothing thrown, expected ${reason}`);
}
