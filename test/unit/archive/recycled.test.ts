import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { decompress } from '#src/archive/index.js';
import { EngineError } from '#src/errors/index.js';
import { findBinary } from '#support/require.js';

/** Gives the bytes in pieces, each in the same memory, as a source may. */
async function* inOneBuffer(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.alloc(size);
  for (let at = 0; at < bytes.length; at += size) {
    const part = bytes.subarray(at, at + size);
    buffer.set(part);
    yield buffer.subarray(0, part.length);
    buffer.fill(0xaa);
  }
}

const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const random = randomBytes(700_000);
const DATA: Readonly<Record<string, Buffer>> = {
  empty: Buffer.alloc(0),
  small: Buffer.from('hello'),
  random,
  zeros: Buffer.alloc(20 << 20),
  text: Buffer.from(Array.from({ length: 200_000 }, (_, n) => `line ${n * 7919}\n`).join('')),
};

async function unpack(
  bytes: Uint8Array,
  size: number,
  usesPrograms: boolean,
): Promise<{ hash: string; buffers: number }> {
  const hash = createHash('sha256');
  const buffers = new Set<ArrayBufferLike>();
  for await (const chunk of decompress(inOneBuffer(bytes, size), 'gzip', {}, { recycles: true, usesPrograms })) {
    hash.update(chunk);
    buffers.add(chunk.buffer);
  }
  return { hash: hash.digest('hex'), buffers: buffers.size };
}

for (const usesPrograms of [false, true]) {
  test(`gzip with memory that is used again gives the same (${usesPrograms ? 'igzip' : 'zlib'})`, async (t) => {
    if (usesPrograms && findBinary('igzip') === undefined) return t.skip('missing: igzip');
    for (const [name, data] of Object.entries(DATA)) {
      for (const size of [100_000, 128 * 1024, 1 << 20]) {
        const { hash } = await unpack(gzipSync(data, { level: 1 }), size, usesPrograms);
        assert.equal(hash, sha(data), `${name} by ${size}`);
      }
    }
    const two = Buffer.concat([gzipSync(DATA['text'] as Buffer), gzipSync(random)]);
    const both = Buffer.concat([DATA['text'] as Buffer, random]);
    assert.equal((await unpack(two, 128 * 1024, usesPrograms)).hash, sha(both));
    const text = gzipSync(DATA['text'] as Buffer);
    for (const bad of [text.subarray(0, -20), text.subarray(0, 1000), Buffer.from(text).fill(0, 5000, 6000)]) {
      await assert.rejects(unpack(bad, 128 * 1024, usesPrograms), (error: unknown) =>
        EngineError.is(error, 'DATA_LOSS', 'BAD_ARCHIVE'),
      );
    }
  });
}

test('the memory of zlib is used again on this version of Node', async () => {
  const { buffers } = await unpack(gzipSync(Buffer.concat(Array(20).fill(random))), 128 * 1024, false);
  assert.ok(buffers <= 3, `${buffers} pieces of memory for 14 MB`);
});

test('data that stands behind the end is passed over, and a consumer may leave early', async () => {
  const data = DATA['text'] as Buffer;
  const trailing = Buffer.concat([gzipSync(data), Buffer.alloc(1 << 20)]);
  assert.equal((await unpack(trailing, 128 * 1024, false)).hash, sha(data));
  for await (const _ of decompress(inOneBuffer(gzipSync(random), 65536), 'gzip', {}, { recycles: true })) break;
});
