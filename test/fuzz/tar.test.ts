import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { applyLayer, readTar } from '#src/archive/index.js';
import { EngineError } from '#src/errors/index.js';
import { inChunks, smithArchive, smithData, smithEntry, smithHeader, smithLong, smithPax } from '#support/tarsmith.js';
import { snapshotTree } from '#support/tree.js';

/** Small, seeded, good enough: a failure prints its seed. */
function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const octal = (n: number) => `${n.toString(8).padStart(11, '0')}\0`;

const SEEDS: readonly Buffer[] = [
  smithHeader({ path: 'd/', type: '5' }),
  smithEntry({ path: 'd/f' }, 'x'.repeat(600)),
  smithHeader({ path: 'l', type: '2', linkPath: '../victim' }),
  smithEntry({ path: 'l/x' }, 'evil'),
  smithHeader({ path: 'h', type: '1', linkPath: 'd/f' }),
  smithEntry({ path: 'd/.wh.f' }),
  smithEntry({ path: 'd/.wh..wh..opq' }),
  smithEntry({ path: '.wh.d' }),
  smithHeader({ path: 'dev', type: '3', devMajor: 1, devMinor: 3 }),
  smithHeader({ path: 'p', type: '6' }),
  Buffer.concat([
    smithPax([
      ['path', 'd/pax'],
      ['mtime', '1.5'],
      ['SCHILY.xattr.user.a', 'b'],
    ]),
    smithEntry({ path: 'x' }, 'y'),
  ]),
  Buffer.concat([smithPax([['uid', '7']], 'g'), smithEntry({ path: 'd/g' }, 'y')]),
  Buffer.concat([smithLong('L', `d/${'n'.repeat(150)}`), smithEntry({ path: 'x', magic: 'gnu' }, 'y')]),
  Buffer.concat([
    smithHeader({
      path: 's',
      type: 'S',
      magic: 'gnu',
      size: 8,
      patch: [
        { at: 386, bytes: [10, 5, 20, 3].map(octal).join('') },
        { at: 483, bytes: octal(25) },
      ],
    }),
    smithData('abcdexyz'),
  ]),
  Buffer.concat([
    smithPax([
      ['GNU.sparse.major', '1'],
      ['GNU.sparse.minor', '0'],
      ['GNU.sparse.name', 's1'],
      ['GNU.sparse.realsize', '25'],
    ]),
    smithEntry({ path: 'x' }, Buffer.concat([smithData('1\n10\n5\n'), Buffer.from('abcde')])),
  ]),
];

function mutated(random: (below: number) => number): Buffer {
  const parts = Array.from({ length: 1 + random(8) }, () => Buffer.from(SEEDS[random(SEEDS.length)] as Buffer));
  const bytes = smithArchive(...parts);
  for (let count = random(4); count > 0; count--) {
    const at = random(bytes.length);
    if (random(2) === 0) bytes[at] = random(256);
    else bytes[at] = (bytes[at] as number) ^ (1 << random(8));
  }
  if (random(4) !== 0) fixChecksums(bytes);
  return random(8) === 0 ? bytes.subarray(0, random(bytes.length)) : bytes;
}

/** Makes the mutations of headers pass the checksum, so that they reach the code behind it. */
function fixChecksums(bytes: Buffer): void {
  for (let at = 0; at + 512 <= bytes.length; at += 512) {
    const block = bytes.subarray(at, at + 512);
    if (block.toString('latin1', 257, 262) !== 'ustar') continue;
    block.fill(0x20, 148, 156);
    let sum = 0;
    for (const byte of block) sum += byte;
    block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  }
}

test('mutated archives end in an EngineError or in a tree inside the target', { timeout: 60_000 }, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'caisson-fuzz-'));
  try {
    for (const name of ['victim', 'lower']) mkdirSync(join(dir, name));
    await applyLayer(inChunks(smithArchive(...SEEDS.slice(0, 3))), {
      path: join(dir, 'lower'),
      whiteouts: 'apply',
      lowerPaths: [],
    });
    const before = snapshotTree(dir);
    const start = Number(process.env.CAISSON_FUZZ_SEED ?? Date.now() % 1_000_000);
    const end = Date.now() + Number(process.env.CAISSON_FUZZ_MS ?? 3000);
    let seed = start;
    let applied = 0;
    for (; Date.now() < end; seed++) {
      const random = randomOf(seed);
      const bytes = mutated(random);
      const target = join(dir, 'target');
      mkdirSync(target);
      const whiteouts = random(2) === 0 ? 'overlay' : 'apply';
      const chunk = 1 + random(2000);
      try {
        await applyLayer(
          inChunks(bytes, chunk),
          { path: target, whiteouts, lowerPaths: whiteouts === 'overlay' ? [join(dir, 'lower')] : [] },
          { limits: { maxBytes: 1 << 20 } },
        );
        applied++;
      } catch (error) {
        assert.ok(EngineError.is(error) && error.reason !== 'BUG', `seed ${seed}: ${(error as Error).stack}`);
      }
      rmSync(target, { recursive: true });
      // Whatever the chunks are, the reader finds the same.
      assert.deepEqual(await outline(bytes, chunk), await outline(bytes, 1 << 20), `seed ${seed}`);
      if (seed % 50 === 0)
        assert.deepEqual(
          snapshotTree(dir, { ignoreTimes: true, includeRoot: false }),
          rootless(before),
          `seed ${seed}`,
        );
    }
    assert.deepEqual(snapshotTree(join(dir, 'victim')), snapshotOf(before, 'victim'), `seeds ${start} to ${seed}`);
    assert.ok(applied > 10 && seed - start > applied, `of ${seed - start} archives ${applied} were good`);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

async function outline(bytes: Uint8Array, chunk: number): Promise<string[]> {
  const lines: string[] = [];
  try {
    for await (const { entry, data } of readTar(inChunks(bytes, chunk))) {
      let size = 0;
      // A mutated sparse file may be terabytes of zeros.
      if (entry.size < 1 << 20) for await (const part of data) size += part.length;
      lines.push(`${entry.path} ${entry.type} ${entry.size} ${size}`);
    }
  } catch (error) {
    assert.ok(EngineError.is(error, 'DATA_LOSS', 'BAD_ARCHIVE'), String(error));
    lines.push(error.message);
  }
  return lines;
}

function rootless(tree: Record<string, string>): Record<string, string> {
  const result: Record<string, string> = Object.create(null);
  for (const [path, text] of Object.entries(tree)) if (path !== '.') result[path] = text.replace(/ mtime=-?\d+/, '');
  return result;
}

function snapshotOf(tree: Record<string, string>, name: string): Record<string, string> {
  const result: Record<string, string> = Object.create(null);
  for (const [path, text] of Object.entries(tree)) {
    if (path === name) result['.'] = text;
    else if (path.startsWith(`${name}/`)) result[path.slice(name.length + 1)] = text;
  }
  return result;
}
