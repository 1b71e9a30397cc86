import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ImageStore, type PullProgress } from '#src/images/index.js';
import { OverlaySnapshotter } from '#src/snapshots/index.js';
import { plainSource } from '#support/plain-source.js';
import { type FaultProxy, startFaultProxy } from '#support/registry/fault-proxy.js';
import { type RegistryProcess, startRegistry } from '#support/registry/registry-process.js';
import { type SeededLayers, seedLayers } from '#support/registry/seed-layers.js';
import { findBinary } from '#support/require.js';
import { smithArchive, smithEntry, smithHeader } from '#support/tarsmith.js';
import { snapshotTree } from '#support/tree.js';

const worker = fileURLToPath(new URL('./images-pull-worker.js', import.meta.url));
const skip =
  findBinary('docker-registry') !== undefined && process.getuid?.() === 0 ? false : 'missing: docker-registry or root';

const LAYERS = [
  smithArchive(
    smithHeader({ path: 'a/', type: '5', mode: 0o755 }),
    smithEntry({ path: 'a/one' }, randomBytes(1 << 20)),
  ),
  smithArchive(smithEntry({ path: 'a/two' }, randomBytes(3 << 20))),
  smithArchive(smithEntry({ path: 'a/three' }, randomBytes(1 << 20)), smithEntry({ path: 'a/.wh.one' })),
];

type Said = PullProgress | { readonly type: 'pulled'; readonly id: string; readonly bytes: number };

describe('pulls of several processes', { skip }, () => {
  let dir: string;
  let registry: RegistryProcess;
  let proxy: FaultProxy;
  let seeded: SeededLayers;
  const ends: (() => void | Promise<void>)[] = [];
  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'caisson-pulls-'));
    const t = { skip: () => {}, after: (work: () => void | Promise<void>) => void ends.push(work) };
    registry = (await startRegistry(t as never, { dir })) as RegistryProcess;
    proxy = await startFaultProxy(t, { upstream: registry.url });
    seeded = await seedLayers(registry.url, 'shared', '1', LAYERS);
  });
  after(async () => {
    for (const end of ends.reverse()) await end();
    rmSync(dir, { recursive: true, force: true });
  });

  let states = 0;
  const newState = () => join(dir, `state-${states++}`);
  const slow = (bytesPerSecond: number) => proxy.add({ path: /blobs/, fault: { kind: 'throttle', bytesPerSecond } });

  /** A process that pulls; `said` fills with what it tells. */
  function pull(state: string): { child: ChildProcess; said: Said[]; end: Promise<number | null> } {
    const child = spawn(process.execPath, [worker, state, proxy.url, `${proxy.host}/shared:1`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const said: Said[] = [];
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk;
      const lines = text.split('\n');
      text = lines.pop() as string;
      for (const line of lines) said.push(JSON.parse(line) as Said);
    });
    const end = once(child, 'close').then(([code]) => code as number | null);
    return { child, said, end };
  }

  /** Everything that a check would look at: blobs, layers, records, and that nothing unfinished is there. */
  async function assertClean(state: string): Promise<void> {
    const snapshotter = OverlaySnapshotter.open({ dir: join(state, 'snapshots') });
    const store = ImageStore.open({
      dir: join(state, 'images'),
      snapshotter,
      connect: () => plainSource(proxy.url),
    });
    await snapshotter.recover();
    await store.recover();
    const kinds = (await snapshotter.list()).map(({ kind }) => kind);
    assert.deepEqual(kinds, ['committed', 'committed', 'committed']);
    for (const name of ['content/ingest', 'content/partial', 'leases']) {
      assert.deepEqual(readdirSync(join(state, 'images', name)), [], name);
    }
    const blobs = join(state, 'images/content/blobs/sha256');
    for (const name of readdirSync(blobs)) {
      assert.equal(
        createHash('sha256')
          .update(readFileSync(join(blobs, name)))
          .digest('hex'),
        name,
      );
    }
    assert.equal(store.get(`${proxy.host}/shared:1`).manifestDigest, seeded.digest);
    const { layers } = store.inspect(`${proxy.host}/shared:1`);
    for (const [index, layer] of layers.entries()) {
      const [target] = (await snapshotter.find(layer.chainId)) === undefined ? [] : [layer.chainId];
      assert.ok(target !== undefined, `layer ${index}`);
    }
    const trees = readdirSync(join(state, 'snapshots/committed')).map((name) =>
      Object.keys(snapshotTree(join(state, 'snapshots/committed', name, 'fs')))
        .sort()
        .join(),
    );
    assert.deepEqual(trees.sort(), ['.,a,a/one', '.,a,a/one,a/three', '.,a,a/two']);
  }

  it('download once: the others wait and see the progress', { timeout: 60_000 }, async () => {
    proxy.clear();
    const undo = slow(4 << 20);
    const state = newState();
    const pulls = [pull(state), pull(state), pull(state)];
    assert.deepEqual(await Promise.all(pulls.map(({ end }) => end)), [0, 0, 0]);
    undo();
    for (const { digest, size } of seeded.layers) {
      const sent = proxy.requests
        .filter(({ path }) => path.endsWith(digest))
        .reduce((sum, one) => sum + one.sentBytes, 0);
      assert.equal(sent, size, digest);
    }
    const waiters = pulls.filter(({ said }) => said.some((one) => one.type === 'layer' && one.layer.isElsewhere));
    assert.ok(waiters.length >= 2, `${waiters.length} of 3 waited`);
    for (const { said } of waiters) {
      const seen = new Set(said.flatMap((one) => (one.type === 'layer' && one.index === 1 ? [one.layer.bytes] : [])));
      assert.ok(seen.size > 3, `saw ${[...seen].join()}`);
    }
    await assertClean(state);
  });

  it('go on where a killed one stopped', { timeout: 60_000 }, async () => {
    proxy.clear();
    const undo = slow(2 << 20);
    const state = newState();
    const first = pull(state);
    while (!first.said.some((one) => one.type === 'layer' && one.index === 1 && one.layer.bytes > 1 << 20))
      await sleep(10);
    const second = pull(state);
    while (!second.said.some((one) => one.type === 'layer' && one.layer.isElsewhere)) await sleep(10);
    first.child.kill('SIGKILL');
    await first.end;
    const killedAt = performance.now();
    while (
      !second.said.some((one) => one.type === 'layer' && !one.layer.isElsewhere && one.layer.status === 'downloading')
    ) {
      assert.ok(performance.now() - killedAt < 2000, 'takes over at once');
      await sleep(10);
    }
    undo();
    assert.equal(await second.end, 0);
    const total = seeded.layers.reduce((sum, { size }) => sum + size, 0);
    const last = second.said.at(-1);
    assert.ok(last?.type === 'pulled' && last.bytes < total - (1 << 19), `${JSON.stringify(last)} of ${total}`);
    await assertClean(state);
  });

  it('that are killed at any time leave what the next one needs, and nothing else', { timeout: 120_000 }, async () => {
    proxy.clear();
    const undo = slow(6 << 20);
    for (let round = 0; round < 4; round++) {
      const state = newState();
      for (let kill = 0; kill < 4; kill++) {
        const one = pull(state);
        const other = kill % 2 === 0 ? undefined : pull(state);
        await sleep(150 + Math.random() * 700);
        for (const { child } of [one, ...(other === undefined ? [] : [other])]) child.kill('SIGKILL');
        await Promise.all([one.end, other?.end]);
      }
      assert.equal(await pull(state).end, 0);
      await assertClean(state);
    }
    undo();
  });
});
