import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { type Compression, compressGzip, decompress, detectCompression } from '#src/archive/index.js';
import { EngineError } from '#src/errors/index.js';
import { findExecutable } from '#src/os/index.js';
import { inChunks } from '#support/tarsmith.js';

async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

const plain = Buffer.concat([randomBytes(300_000), Buffer.alloc(2_000_000, 'text ')]);

const PROGRAMS: readonly [Compression, string][] = [
  ['gzip', 'gzip'],
  ['zstd', 'zstd'],
  ['bzip2', 'bzip2'],
  ['xz', 'xz'],
];

for (const [kind, program] of PROGRAMS) {
  test(`${kind} is told by its first bytes and unpacked`, {
    skip: findExecutable(program) === undefined ? `missing: ${program}` : false,
  }, async () => {
    const packed = execFileSync(program, ['-c'], { input: plain, maxBuffer: 1 << 26 });
    assert.equal(detectCompression(packed.subarray(0, 6)), kind);
    assert.ok((await collect(decompress(inChunks(packed), kind))).equals(plain));
    assert.ok(
      (await collect(decompress(inChunks(Buffer.concat([packed, packed])), kind))).equals(
        Buffer.concat([plain, plain]),
      ),
      'two members',
    );
    for (const broken of [
      packed.subarray(0, packed.length - 20),
      Buffer.concat([packed.subarray(0, 1000), Buffer.alloc(5000, 7), packed.subarray(6000)]),
    ]) {
      await assert.rejects(collect(decompress(inChunks(broken), kind)), (error: unknown) =>
        EngineError.is(error, 'DATA_LOSS', 'BAD_ARCHIVE'),
      );
    }
    await assert.rejects(collect(decompress(inChunks(packed), kind, { maxOutputBytes: 1 << 20 })), (error: unknown) =>
      EngineError.is(error, 'RESOURCE_EXHAUSTED', 'LAYER_TOO_LARGE'),
    );
  });
}

test('what is not compressed passes through', async () => {
  assert.equal(detectCompression(Buffer.from('etc/passwd')), 'none');
  assert.equal(detectCompression(Buffer.alloc(0)), 'none');
  assert.ok((await collect(decompress(inChunks(plain), 'none'))).equals(plain));
});

test('gzip is written the same every time', async () => {
  const first = await collect(compressGzip(inChunks(plain)));
  assert.ok(first.equals(await collect(compressGzip(inChunks(plain, 1000)))));
  assert.ok(gunzipSync(first).equals(plain));
});

test('errors of the source come through as they are', async () => {
  const failing = async function* () {
    yield gzipSync(plain).subarray(0, 1000);
    throw new RangeError('mine');
  };
  for (const kind of ['gzip', 'xz'] as const) await assert.rejects(collect(decompress(failing(), kind)), RangeError);
});

test('stopping early or aborting leaves no descriptor and no child', async () => {
  const packed = execFileSync('xz', ['-c', '-1'], { input: plain, maxBuffer: 1 << 26 });
  const count = () => readdirSync('/proc/self/fd').length;
  const stopEarly = async () => {
    for await (const _ of decompress(inChunks(packed), 'xz')) break;
  };
  await stopEarly();
  const before = count();
  for (let i = 0; i < 5; i++) await stopEarly();
  const abort = new AbortController();
  const hanging = async function* () {
    yield packed.subarray(0, 1000);
    setTimeout(() => abort.abort(), 20);
    await new Promise((resolve) => setTimeout(resolve, 200));
    yield packed.subarray(1000);
  };
  for (const kind of ['xz', 'gzip'] as const) {
    await assert.rejects(
      collect(decompress(hanging(), kind, {}, { signal: abort.signal })),
      (error: unknown) => EngineError.is(error, 'CANCELED'),
      kind,
    );
  }
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok(count() <= before, `${count()} descriptors, before ${before}`);
});
