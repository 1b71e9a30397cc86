import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { applyLayer, DEFAULT_LAYER_LIMITS, LayerUnpacker } from '#src/archive/index.js';
import { EngineError } from '#src/errors/index.js';
import { inChunks, smithArchive, smithEntry, smithHeader } from '#support/tarsmith.js';
import { snapshotTree, type TreeSnapshot } from '#support/tree.js';

/** Small, seeded, good enough: a failure prints its seed. */
function randomOf(seed: number): (below: number) => number {
  let state = Math.imul(seed, 2654435761) >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

type Random = ReturnType<typeof randomOf>;
const NAMES = ['a', 'b', 'c', 'd'];
const pick = <T>(random: Random, list: readonly T[]): T => list[random(list.length)] as T;

function path(random: Random, depth = 1 + random(3)): string {
  return Array.from({ length: depth }, () => pick(random, NAMES)).join('/');
}

/** Entries that meet each other, and those of the other layers, as often as can be. */
function layer(random: Random, isLower: boolean): Buffer {
  const parts: Buffer[] = [];
  for (let n = 2 + random(10); n > 0; n--) {
    const at = {
      path: path(random),
      mtime: 1_600_000_000 + random(1000),
      uid: random(3),
      mode: pick(random, [0o755, 0o700, 0o644]),
    };
    const kind = random(20);
    if (kind < 8) parts.push(smithEntry(at, `data ${random(1000)}`));
    else if (kind < 13) parts.push(smithHeader({ ...at, type: '5' }));
    else if (kind < 15)
      parts.push(
        smithHeader({
          ...at,
          type: '2',
          linkPath: pick(random, [path(random), `/${path(random)}`, '..', `../${path(random, 1)}`]),
        }),
      );
    else if (kind < 16) parts.push(smithHeader({ ...at, type: '1', linkPath: path(random) }));
    else if (kind < 17) parts.push(smithHeader({ path: '.', type: '5', mode: at.mode, mtime: at.mtime }));
    else if (!isLower) {
      const parent = random(3) === 0 ? '' : `${path(random, 1 + random(2))}/`;
      parts.push(smithEntry({ path: `${parent}${random(3) === 0 ? '.wh..wh..opq' : `.wh.${pick(random, NAMES)}`}` }));
    }
  }
  return smithArchive(...parts);
}

/** The tree as it is on disk; a whiteout's time is when it was made. */
function all(root: string): TreeSnapshot {
  const tree = snapshotTree(root, { ignoreXattrs: /^security\.selinux$/ });
  for (const [path, text] of Object.entries(tree)) if (text.startsWith('char 0:0')) tree[path] = 'whiteout';
  return tree;
}

test('a layer unpacked before those below it are there ends up the same', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'caisson-detached-'));
  const outcomes = { settled: 0, repeated: 0, refused: 0 };
  const start = Number(process.env.CAISSON_FUZZ_SEED ?? Date.now() % 1_000_000);
  const end = Date.now() + Number(process.env.CAISSON_FUZZ_MS ?? 3000);
  try {
    for (let seed = start; Date.now() < end; seed++) {
      const random = randomOf(seed);
      const at = (name: string) => join(dir, name);
      const lowerPaths: string[] = [];
      for (let n = random(3); n > 0; n--) {
        const lower = at(`lower${n}`);
        mkdirSync(lower);
        try {
          await applyLayer(inChunks(layer(random, lowerPaths.length === 0)), {
            path: lower,
            whiteouts: 'overlay',
            lowerPaths,
          });
        } catch {
          // Half a layer is as good a lower one.
        }
        lowerPaths.unshift(lower);
      }
      const bytes = layer(random, false);
      for (const name of ['direct', 'target', 'detached']) {
        mkdirSync(at(name));
        utimesSync(at(name), 1e9, 1e9);
      }
      const direct = { path: at('direct'), whiteouts: 'overlay', lowerPaths } as const;
      const target = { path: at('target'), whiteouts: 'overlay', lowerPaths } as const;
      const expected = await failureOf(() => applyLayer(inChunks(bytes), direct));
      let isSettled = false;
      const actual = await failureOf(async () => {
        const unpacker = new LayerUnpacker(
          { path: at('detached'), whiteouts: 'overlay', lowerPaths: [] },
          { limits: DEFAULT_LAYER_LIMITS, ownership: 'image', detached: true },
        );
        try {
          for (let i = 0; i < bytes.length; i += 700) unpacker.push(bytes.subarray(i, i + 700));
          unpacker.end();
          isSettled = unpacker.settle(target);
        } finally {
          unpacker.close();
        }
        if (!isSettled) await applyLayer(inChunks(bytes), target);
      });
      assert.equal(actual, expected, `seed ${seed}`);
      if (expected === undefined) assert.deepEqual(all(target.path), all(direct.path), `seed ${seed}`);
      outcomes[expected !== undefined ? 'refused' : isSettled ? 'settled' : 'repeated']++;
      for (const path of [at('direct'), at('target'), at('detached'), ...lowerPaths]) rmSync(path, { recursive: true });
    }
    for (const [name, count] of Object.entries(outcomes))
      assert.ok(count > 5, `${name}: ${count} of ${JSON.stringify(outcomes)}`);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

async function failureOf(work: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    assert.ok(EngineError.is(error), String((error as Error).stack));
    return `${error.reason} ${error.message}`;
  }
}
