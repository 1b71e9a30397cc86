import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError } from '#src/errors/index.js';
import type { ImageCandidate, PullProgress } from '#src/images/index.js';
import { plainSource } from '#support/plain-source.js';
import { type FaultProxy, startFaultProxy } from '#support/registry/fault-proxy.js';
import { type RegistryProcess, startRegistry } from '#support/registry/registry-process.js';
import { seedBlob, seedManifest } from '#support/registry/seed-image.js';
import { seedLayers } from '#support/registry/seed-layers.js';
import { smithArchive, smithEntry, smithHeader } from '#support/tarsmith.js';
import { hasTool, ImageLab, makeUmociLayout, run } from './images-lab.js';

const missing = ['docker-registry', 'skopeo', 'umoci'].filter((name) => !hasTool(name));
const skip = missing.length === 0 && process.getuid?.() === 0 ? false : `missing: ${missing.join(', ') || 'root'}`;

const dir = (path: string) => smithHeader({ path, type: '5', mode: 0o755 });
const file = (path: string, data: string | Uint8Array = path) => smithEntry({ path }, data);
/** Three layers that need each other: a directory that only the lowest describes, whiteouts, a link to a lower file. */
const LAYERS = [
  smithArchive(dir('a/'), file('a/one'), file('a/two'), dir('gone/'), file('gone/x')),
  smithArchive(file('a/three'), file('.wh.gone')),
  smithArchive(smithHeader({ path: 'linked', type: '1', linkPath: 'a/one' }), file('a/.wh.two')),
];
const hasReason = (reason: string) => (error: unknown) => {
  assert.ok(EngineError.is(error), String((error as Error).stack));
  assert.equal(error.reason, reason, error.stack);
  return true;
};
/** A layer that takes a while: gzip can't make it smaller. */
const big = (bytes: number) => smithArchive(file('big', randomBytes(bytes)));

describe('images.pull', { skip }, () => {
  let dirPath: string;
  let registry: RegistryProcess;
  let proxy: FaultProxy;
  const ends: (() => void | Promise<void>)[] = [];
  before(async () => {
    dirPath = mkdtempSync(join(tmpdir(), 'caisson-pull-'));
    const t = { skip: () => {}, after: (work: () => void | Promise<void>) => void ends.push(work) };
    registry = (await startRegistry(t as never, { dir: dirPath })) as RegistryProcess;
    proxy = await startFaultProxy(t, { upstream: registry.url });
  });
  after(async () => {
    for (const end of ends.reverse()) await end();
    rmSync(dirPath, { recursive: true, force: true });
  });

  const name = (repository: string) => `${proxy.host}/${repository}`;
  const openLab = (options: { snapshotter?: 'overlay' | 'vfs'; tmpfsBytes?: number } = {}) => {
    proxy.clear();
    const source = plainSource(proxy.url);
    const lab = new ImageLab({ ...options, connect: () => source });
    return Object.assign(lab, { requests: source.requests });
  };
  /** Unfinished trees: none may stay. */
  const extractions = async (lab: ImageLab) => (await lab.snapshotter.list()).filter(({ kind }) => kind === 'active');
  const blobBytes = (digest: string) =>
    proxy.requests.filter(({ path }) => path.endsWith(digest)).reduce((sum, { sentBytes }) => sum + sentBytes, 0);

  for (const snapshotter of ['overlay', 'vfs'] as const) {
    it(`stores what skopeo pushed, with the same digests and tree (${snapshotter})`, async () => {
      await using lab = openLab({ snapshotter });
      const layout = makeUmociLayout(lab);
      const repository = `umoci-${snapshotter}`;
      run(
        'skopeo',
        'copy',
        '--dest-tls-verify=false',
        `oci:${layout}:two`,
        `docker://${registry.host}/${repository}:two`,
      );
      const expected = await lab.store.import(layout, { select: 'two', reference: 'imported' });
      const tree = await lab.tree('imported');
      await lab.store.remove('imported');
      assert.deepEqual(await lab.snapshotter.list(), []);

      const image = await lab.store.pull(`${name(repository)}:two`);
      assert.equal(image.id, expected.id);
      assert.equal(image.manifestDigest, expected.manifestDigest);
      assert.equal(image.sizeBytes, expected.sizeBytes);
      assert.deepEqual(await lab.tree(image.id), tree);
      assert.deepEqual(tree, lab.umociTree(layout, 'two'));
      assert.deepEqual(await extractions(lab), []);
      assert.deepEqual(readdirSync(lab.path('state/images/content/partial')), []);
      assert.deepEqual(lab.events.at(-2), { type: 'image', action: 'pull', id: image.id, attributes: {} });
    });
  }

  it('costs one request when nothing changed, and gets only what did', async () => {
    await using lab = openLab();
    await seedLayers(registry.url, 'unchanged', '1', LAYERS);
    const image = await lab.store.pull(`${name('unchanged')}:1`);
    const before = lab.state();
    lab.requests.length = 0;
    const start = performance.now();
    assert.equal((await lab.store.pull(`${name('unchanged')}:1`)).id, image.id);
    const took = performance.now() - start;
    assert.deepEqual(
      lab.requests.map(({ method }) => method),
      ['HEAD'],
    );
    assert.ok(took < 100, `took ${took} ms`);
    assert.deepEqual(lab.state(), before);

    const next = await seedLayers(registry.url, 'unchanged', '1', [...LAYERS, smithArchive(file('more'))]);
    lab.requests.length = 0;
    const changed = await lab.store.pull(`${name('unchanged')}:1`);
    assert.notEqual(changed.id, image.id);
    const blobs = lab.requests.filter(({ path }) => path.includes('/blobs/')).map(({ path }) => path.split('/').at(-1));
    assert.equal(blobs.length, 2);
    assert.ok(blobs.includes(next.layers[3]?.digest));
    assert.deepEqual(lab.store.get(image.id).references, []);
  });

  it('tells what it does', async () => {
    await using lab = openLab();
    const seeded = await seedLayers(registry.url, 'progress', 'latest', [big(3 << 20), ...LAYERS]);
    const told: PullProgress[] = [];
    await lab.store.pull(name('progress'), {
      onProgress: (progress) => {
        told.push(progress);
        throw new Error('a bar that fails');
      },
    });
    const [first] = told;
    assert.equal(first?.type, 'resolved');
    assert.equal(first?.type === 'resolved' && first.digest, seeded.digest);
    const total = seeded.layers.reduce((sum, { size }) => sum + size, 0);
    for (const [index, layer] of seeded.layers.entries()) {
      const mine = told.filter((one) => one.type === 'layer' && one.index === index) as Extract<
        PullProgress,
        { type: 'layer' }
      >[];
      const states = mine.map((one) => one.layer.status);
      assert.equal(states.at(-1), 'done', states.join());
      assert.ok(states.includes('downloading') && states.includes('extracting'), states.join());
      for (const [n, one] of mine.entries()) {
        assert.equal(one.totalBytes, total);
        assert.equal(one.layer.digest, layer.digest);
        assert.ok(one.layer.bytes >= (mine[n - 1]?.layer.bytes ?? 0), 'bytes never go back');
      }
      assert.equal(mine.at(-1)?.layer.bytes, layer.size);
    }
    const last = told.at(-1);
    assert.deepEqual(last, {
      type: 'done',
      reference: `${name('progress')}:latest`,
      digest: seeded.digest,
      isUnchanged: false,
    });
  });

  it('heeds its policy', async () => {
    await using lab = openLab();
    await seedLayers(registry.url, 'policy', '1', LAYERS);
    const reference = `${name('policy')}:1`;
    await assert.rejects(lab.store.pull(reference, { policy: 'never' }), hasReason('IMAGE_NOT_FOUND'));
    assert.equal(lab.requests.length, 0);
    const image = await lab.store.pull(reference, { policy: 'missing' });
    lab.requests.length = 0;
    for (const policy of ['missing', 'never'] as const)
      assert.equal((await lab.store.pull(reference, { policy })).id, image.id);
    assert.equal(lab.requests.length, 0);
    proxy.add({ fault: { kind: 'reset' } });
    assert.equal((await lab.store.pull(reference, { policy: 'newer' })).id, image.id);
    await assert.rejects(lab.store.pull(reference), (error: unknown) => EngineError.is(error, 'UNAVAILABLE'));
    await assert.rejects(lab.store.pull(reference, { policy: 'sometimes' as never }), hasReason('BAD_OPTION'));
  });

  it('chooses from an index, passes over what is no image, and finds the image by the index', async () => {
    await using lab = openLab();
    const [amd, arm] = [
      await seedLayers(registry.url, 'multi', 'amd', LAYERS.slice(0, 1)),
      await seedLayers(registry.url, 'multi', 'arm', LAYERS.slice(0, 2), {
        architecture: 'arm64',
        mediaType: 'docker',
      }),
    ];
    const entry = (image: typeof amd, architecture: string) => ({
      mediaType: image.mediaType,
      digest: image.digest,
      size: image.size,
      platform: { os: 'linux', architecture },
    });
    const odd = { mediaType: 'application/vnd.example.thing', digest: `sha256:${'0'.repeat(64)}`, size: 3 };
    const attestation = { ...entry(amd, 'unknown'), platform: { os: 'unknown', architecture: 'unknown' } };
    const mediaType = 'application/vnd.oci.image.index.v1+json';
    const bytes = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType,
        manifests: [attestation, entry(arm, 'arm64'), entry(amd, 'amd64')],
      }),
    );
    const digest = await seedManifest(registry.url, 'multi', '1', { mediaType, bytes });
    const listed = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests: [odd, entry(amd, 'amd64')] }));
    proxy.add({
      path: /manifests\/strange/,
      fault: { kind: 'status', status: 200, headers: { 'content-type': `${mediaType}; charset=utf-8` }, body: listed },
    });
    const strange = await lab.store.pull(`${name('multi')}:strange`, { platform: 'linux/amd64' });
    assert.equal(strange.manifestDigest, amd.digest);

    const ours = await lab.store.pull(`${name('multi')}:1`, { platform: 'linux/amd64' });
    assert.equal(ours.manifestDigest, amd.digest);
    const theirs = await lab.store.pull(`${name('multi')}:1`, { platform: 'linux/arm64' });
    assert.equal(theirs.manifestDigest, arm.digest);
    assert.equal(theirs.platform.architecture, 'arm64');
    // The name stands for another platform now: it is not unchanged.
    assert.equal((await lab.store.pull(`${name('multi')}:1`, { platform: 'linux/amd64' })).id, ours.id);
    await assert.rejects(
      lab.store.pull(`${name('multi')}:1`, { platform: 'linux/riscv64' }),
      (error: unknown) =>
        EngineError.is(error, 'NOT_FOUND', 'NO_MATCHING_PLATFORM') &&
        String(error.details['platforms']).includes('arm64'),
    );
    const pinned = await lab.store.pull(`${name('multi')}@${digest}`, { platform: 'linux/amd64' });
    assert.equal(pinned.id, ours.id);
    assert.equal(lab.store.get(`${name('multi')}@${digest}`).id, ours.id);
    assert.ok(pinned.references.some((reference) => reference.endsWith(digest)));
  });

  it('refuses bytes that are not what was announced, and keeps none of them', async () => {
    await using lab = openLab();
    const seeded = await seedLayers(registry.url, 'wrong', '1', [...LAYERS, big(1 << 20)]);
    const digest = seeded.layers[3]?.digest as string;
    const undo = proxy.add({ path: new RegExp(`blobs/${digest}`), fault: { kind: 'wrong-byte', at: 500_000 } });
    await assert.rejects(lab.store.pull(`${name('wrong')}:1`), hasReason('DIGEST_MISMATCH'));
    assert.equal(lab.store.list().length, 0);
    assert.deepEqual(await extractions(lab), []);
    // Of other layers that were on their way the beginning may stay.
    const left = readdirSync(lab.path('state/images/content/partial'));
    assert.ok(!left.some((name) => name.includes(digest.slice(7)) || name.endsWith('.lock')), left.join());
    undo();
    const image = await lab.store.pull(`${name('wrong')}:1`);
    assert.equal(image.manifestDigest, seeded.digest);

    await seedLayers(registry.url, 'wrong', '2', LAYERS);
    proxy.add({
      path: /manifests/,
      fault: {
        kind: 'status',
        status: 200,
        headers: { 'content-type': seeded.mediaType },
        body: Buffer.from(
          await (
            await fetch(`${registry.url}/v2/wrong/manifests/2`, { headers: { accept: seeded.mediaType } })
          ).arrayBuffer(),
        ),
      },
    });
    const other = `sha256:${'7'.repeat(64)}`;
    await assert.rejects(lab.store.pull(`${name('wrong')}@${other}`), hasReason('DIGEST_MISMATCH'));
  });

  it('goes on where a broken connection stopped', async () => {
    await using lab = openLab();
    const seeded = await seedLayers(registry.url, 'cut', '1', [LAYERS[0] as Buffer, big(4 << 20)]);
    const { digest, size } = seeded.layers[1] as { digest: string; size: number };
    const undo = proxy.add({ path: new RegExp(digest), fault: { kind: 'cut', afterBytes: 3 << 20 } });
    await assert.rejects(lab.store.pull(`${name('cut')}:1`), (error: unknown) => EngineError.is(error, 'UNAVAILABLE'));
    undo();
    const first = blobBytes(digest);
    assert.deepEqual(await extractions(lab), []);
    // Neither a sweep nor another engine's start takes away what the next pull needs.
    await lab.store.sweep();
    await lab.open().recover();
    await lab.store.pull(`${name('cut')}:1`);
    const resumed = lab.requests.find(({ path, offset }) => path.endsWith(digest) && offset > 0);
    assert.ok(resumed !== undefined, 'asked from where it was');
    assert.ok(resumed.offset > 1 << 20, `from ${resumed.offset}`);
    assert.ok(first >= 3 << 20);
    assert.equal(resumed.bytes, size - resumed.offset);
    assert.equal(lab.requests.filter(({ path }) => path.endsWith(seeded.layers[0]?.digest as string)).length, 1);
    assert.deepEqual(readdirSync(lab.path('state/images/content/partial')), []);
    assert.deepEqual(readdirSync(lab.path('state/images/leases')), []);
  });

  it('begins again when what it has is not the beginning of the blob', async () => {
    await using lab = openLab();
    const seeded = await seedLayers(registry.url, 'torn', '1', [big(2 << 20)]);
    const { digest } = seeded.layers[0] as { digest: string };
    const { writeFileSync } = await import('node:fs');
    writeFileSync(lab.path('state/images/content/partial', digest.replace(':', '-')), Buffer.alloc(100_000));
    const image = await lab.store.pull(`${name('torn')}:1`);
    assert.equal(image.manifestDigest, seeded.digest);
  });

  it('stops at once when the call is aborted', async () => {
    await using lab = openLab();
    await seedLayers(registry.url, 'abort', '1', [...LAYERS, big(4 << 20)]);
    proxy.add({ path: /blobs/, fault: { kind: 'throttle', bytesPerSecond: 1 << 20 } });
    const controller = new AbortController();
    const pull = lab.store.pull(`${name('abort')}:1`, { signal: controller.signal });
    setTimeout(() => controller.abort(), 300);
    const start = performance.now();
    await assert.rejects(pull, (error: unknown) => EngineError.is(error, 'CANCELED'));
    assert.ok(performance.now() - start < 1500);
    assert.deepEqual(await extractions(lab), []);
    await assert.rejects(lab.store.pull(`${name('abort')}:1`, { signal: AbortSignal.timeout(300) }), (error: unknown) =>
      EngineError.is(error, 'DEADLINE_EXCEEDED'),
    );
    proxy.clear();
    await lab.store.pull(`${name('abort')}:1`);
  });

  it('asks the host before it stores anything', async () => {
    await using lab = openLab();
    const seeded = await seedLayers(registry.url, 'policed', '1', LAYERS, { labels: { __proto__: 'x' } });
    const before = lab.state();
    for (const verify of [() => false, async () => Promise.reject(new Error('not signed'))]) {
      await assert.rejects(lab.store.pull(`${name('policed')}:1`, { verify }), hasReason('IMAGE_REFUSED'));
    }
    assert.deepEqual(lab.state(), before);
    assert.deepEqual(
      lab.requests.filter(({ path }) => seeded.layers.some(({ digest }) => path.endsWith(digest))),
      [],
    );
    const seen: ImageCandidate[] = [];
    await lab.store.pull(`${name('policed')}:1`, { verify: (candidate) => void seen.push(candidate) });
    assert.equal(seen[0]?.manifestDigest, seeded.digest);
    // What is here already is judged too.
    await lab.store.pull(`${name('policed')}:1`, { verify: (candidate) => void seen.push(candidate) });
    assert.deepEqual(seen[1], seen[0]);
    await assert.rejects(
      lab.store.pull(`${name('policed')}:1`, { policy: 'never', verify: () => false }),
      hasReason('IMAGE_REFUSED'),
    );
  });

  it('refuses old and foreign manifests and bad layers', async () => {
    await using lab = openLab();
    const old = Buffer.from(JSON.stringify({ schemaVersion: 1, name: 'x', tag: 'x', fsLayers: [], history: [] }));
    const type = 'application/vnd.docker.distribution.manifest.v1+json';
    const undo = proxy.add({
      path: /manifests\/old/,
      fault: { kind: 'status', status: 200, headers: { 'content-type': type }, body: old },
    });
    await assert.rejects(
      lab.store.pull(`${name('bad')}:old`),
      (error: unknown) =>
        EngineError.is(error, 'NOT_IMPLEMENTED', 'UNSUPPORTED_MEDIA_TYPE') && /schema 1/.test(error.message),
    );
    undo();
    const foreign = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: `sha256:${'1'.repeat(64)}`, size: 2 },
        layers: [
          {
            mediaType: 'application/vnd.oci.image.layer.v1.tar',
            digest: `sha256:${'2'.repeat(64)}`,
            size: 2,
            urls: [`${proxy.url}/secret`],
          },
        ],
      }),
    );
    proxy.add({
      path: /manifests\/foreign/,
      fault: {
        kind: 'status',
        status: 200,
        headers: { 'content-type': 'application/vnd.oci.image.manifest.v1+json' },
        body: foreign,
      },
    });
    await assert.rejects(lab.store.pull(`${name('bad')}:foreign`), /foreign/);
    assert.ok(!proxy.requests.some(({ path }) => path.includes('secret')));

    await seedLayers(registry.url, 'bad', 'escape', [LAYERS[0] as Buffer, smithArchive(file('../../out'))]);
    await assert.rejects(lab.store.pull(`${name('bad')}:escape`), hasReason('BAD_LAYER'));
    await seedLayers(registry.url, 'bad', 'diff', LAYERS, {
      config: (config) => ({
        ...config,
        rootfs: { type: 'layers', diff_ids: LAYERS.map((_, n) => `sha256:${String(n).repeat(64)}`) },
      }),
    });
    await assert.rejects(lab.store.pull(`${name('bad')}:diff`), hasReason('DIFF_ID_MISMATCH'));
    await seedBlob(registry.url, 'bad', Buffer.from('x'));
    assert.equal(lab.store.list().length, 0);
    assert.deepEqual(await extractions(lab), []);
  });

  it('shares one download between pulls of one process, and leaves nothing behind when the disk is full', async () => {
    {
      await using lab = openLab();
      const seeded = await seedLayers(registry.url, 'both', '1', [...LAYERS, big(2 << 20)]);
      const [a, b] = await Promise.all([lab.store.pull(`${name('both')}:1`), lab.open().pull(`${name('both')}:1`)]);
      assert.equal(a.id, b.id);
      for (const { digest, size } of seeded.layers) assert.equal(blobBytes(digest), size, digest);
    }
    await using small = openLab({ tmpfsBytes: 6 << 20 });
    await seedLayers(registry.url, 'full', '1', [LAYERS[0] as Buffer, big(8 << 20)]);
    await assert.rejects(small.store.pull(`${name('full')}:1`), hasReason('DISK_FULL'));
    assert.deepEqual(await extractions(small), []);
    assert.equal(small.store.list().length, 0);
    await seedLayers(registry.url, 'full', '2', LAYERS);
    await rmPartials(small);
    await small.store.pull(`${name('full')}:2`);
  });

  it('is not raced by a garbage collection', async () => {
    await using lab = openLab();
    await seedLayers(registry.url, 'raced', '1', [...LAYERS, big(3 << 20)]);
    proxy.add({ path: /blobs/, fault: { kind: 'throttle', bytesPerSecond: 6 << 20 } });
    let isOver = false;
    const pull = lab.store.pull(`${name('raced')}:1`).finally(() => {
      isOver = true;
    });
    const other = lab.open();
    while (!isOver) {
      await other.sweep();
      await sleep(5);
    }
    const image = await pull;
    assert.deepEqual(Object.keys(await lab.tree(image.id)).sort(), ['.', 'a', 'a/one', 'a/three', 'big', 'linked']);
  });
});

async function rmPartials(lab: ImageLab): Promise<void> {
  rmSync(lab.path('state/images/content/partial'), { recursive: true });
  mkdirSync(lab.path('state/images/content/partial'));
}
