import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { HashingStream, verifyStream } from '#src/archive/index.js';
import { EngineError } from '#src/errors/index.js';
import { inChunks } from '#support/tarsmith.js';

const bytes = Buffer.alloc(100_000, 'data');
const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

async function drain(source: AsyncIterable<Uint8Array>): Promise<number> {
  let size = 0;
  for await (const chunk of source) size += chunk.length;
  return size;
}

test('hashes and counts what passes', async () => {
  const hashing = new HashingStream();
  assert.equal(await drain(hashing.pass(inChunks(bytes))), bytes.length);
  assert.equal(hashing.size, bytes.length);
  assert.equal(hashing.digest, digest);
  assert.equal(hashing.digest, digest);
});

test('verifies digest and size', async () => {
  assert.equal(await drain(verifyStream(inChunks(bytes), { digest, size: bytes.length })), bytes.length);
  assert.equal(await drain(verifyStream(inChunks(bytes), {})), bytes.length);
  const wrong = `sha256:${'0'.repeat(64)}`;
  await assert.rejects(drain(verifyStream(inChunks(bytes), { digest: wrong })), (e: unknown) =>
    EngineError.is(e, 'DATA_LOSS', 'DIGEST_MISMATCH'),
  );
  await assert.rejects(drain(verifyStream(inChunks(bytes), { digest: digest.toUpperCase() })), (e: unknown) =>
    EngineError.is(e, 'DATA_LOSS', 'DIGEST_MISMATCH'),
  );
  for (const size of [0, bytes.length - 1, bytes.length + 1]) {
    await assert.rejects(drain(verifyStream(inChunks(bytes), { digest, size })), (e: unknown) =>
      EngineError.is(e, 'DATA_LOSS', 'SIZE_MISMATCH'),
    );
  }
});

test('more than announced is never passed on', async () => {
  let passed = 0;
  await assert.rejects(async () => {
    for await (const chunk of verifyStream(inChunks(bytes, 1000), { size: 2500 })) passed += chunk.length;
  });
  assert.equal(passed, 2000);
});
