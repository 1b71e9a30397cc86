import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { engineError } from '#src/errors/index.js';
import { VolumeStore } from '#src/volumes/store/index.js';
import { openParts } from '#src/volumes/store/open-parts.js';
import { pruneVolumes } from '#src/volumes/store/prune-volumes.js';
import { type Bed, makeBed, rejectsWith } from './bed.js';

const names = (volumes: readonly { name: string }[]) => volumes.map(({ name }) => name);

async function filled(bed: Bed) {
  const store = await bed.open();
  await store.create({ name: 'a1', labels: { tier: 'db', keep: '' } });
  await store.create({ name: 'a2', driver: 'other', labels: { tier: 'web' } });
  await store.create({ name: 'b1', anonymous: true, holder: { id: 'c1' } });
  await bed.other.create({ name: 'b2', options: {} });
  return store;
}

describe('list', () => {
  it('has what is recorded and what drivers have, by name, and records nothing', async (t) => {
    const bed = makeBed(t);
    const store = await filled(bed);
    const { volumes, warnings } = await store.list();
    assert.deepEqual(
      volumes.map(({ name, driver, recorded, anonymous }) => [name, driver, recorded, anonymous]),
      [
        ['a1', 'local', true, false],
        ['a2', 'other:latest', true, false],
        ['b1', 'local', true, true],
        ['b2', 'other:latest', false, false],
      ],
    );
    assert.deepEqual(warnings, []);
    assert.equal((await store.get('b2')).recorded, false);
  });

  it('filters: all fields must fit, of a field any one', async (t) => {
    const bed = makeBed(t);
    const store = await filled(bed);
    const list = async (filter: Parameters<typeof store.list>[0]) => names((await store.list(filter)).volumes);
    assert.deepEqual(await list({ name: 'a1' }), ['a1']);
    assert.deepEqual(await list({ name: ['a1', /^b/g, 'b1'] }), ['a1', 'b1', 'b2']);
    assert.deepEqual(await list({ name: /2$/, prefix: 'a' }), ['a2']);
    assert.deepEqual(await list({ prefix: ['a', 'b2'] }), ['a1', 'a2', 'b2']);
    for (const driver of ['other', 'other:latest']) assert.deepEqual(await list({ driver }), ['a2', 'b2']);
    assert.deepEqual(await list({ driver: ['other', 'local'], name: /1/ }), ['a1', 'b1']);
    assert.deepEqual(await list({ label: 'tier' }), ['a1', 'a2']);
    assert.deepEqual(await list({ label: ['tier=web', 'keep'] }), ['a1', 'a2']);
    assert.deepEqual(await list({ labels: { tier: 'db', keep: true } }), ['a1']);
    assert.deepEqual(await list({ labels: { tier: true, keep: true, no: true } }), []);
    assert.deepEqual(await list({ labels: { toString: true } as Record<string, true> }), []);
    assert.deepEqual(await list({ dangling: true }), ['a1', 'a2', 'b2']);
    assert.deepEqual(await list({ dangling: false }), ['b1']);
    assert.deepEqual(await list({ anonymous: true }), ['b1']);
    assert.deepEqual(await list({ scope: 'global' }), []);
    assert.deepEqual(await list({ scope: ['global', 'local'], driver: 'other', dangling: true, label: 'tier' }), [
      'a2',
    ]);
    await rejectsWith(store.list({ nmae: 'a1' } as object), 'UNKNOWN_OPTION');
    await rejectsWith(store.list({ scope: 'all' as 'local' }), 'BAD_OPTION');
  });

  it('has the recorded volumes of a driver that fails or is gone, and says so', async (t) => {
    const bed = makeBed(t);
    const store = await filled(bed);
    bed.other.before = () => {
      throw new Error('HTTP 500');
    };
    const failing = await store.list();
    assert.deepEqual(names(failing.volumes), ['a1', 'a2', 'b1']);
    assert.deepEqual(
      failing.warnings.map(({ kind, driver }) => [kind, driver]),
      [['driver-failed', 'other:latest']],
    );
    await assert.rejects(store.get('a2'), /HTTP 500/);
    bed.drivers.known.delete('other');
    const gone = await store.list();
    assert.deepEqual(names(gone.volumes), ['a1', 'a2', 'b1']);
    assert.match(gone.warnings[0]?.message ?? '', /no driver other/);
    await rejectsWith(store.get('a2'), 'DRIVER_NOT_FOUND');
    bed.drivers.known.set('other', bed.other);
    bed.other.before = () => {};
    assert.deepEqual(names((await store.list()).volumes), ['a1', 'a2', 'b1', 'b2']);
  });

  it('gives a name to the driver that had it first, and warns', async (t) => {
    const bed = makeBed(t);
    const store = await filled(bed);
    await bed.local.create({ name: 'a2', options: {} });
    await bed.local.create({ name: 'b2', options: {} });
    const { volumes, warnings } = await store.list();
    assert.deepEqual(
      volumes.map(({ name, driver }) => `${name} ${driver}`),
      ['a1 local', 'a2 other:latest', 'b1 local', 'b2 local'],
    );
    assert.deepEqual(
      warnings.map(({ kind, driver, volume }) => [kind, driver, volume]),
      [
        ['name-of-other-driver', 'local', 'a2'],
        ['name-of-other-driver', 'other:latest', 'b2'],
      ],
    );
  });

  it('drops what its driver has no more, unless somebody holds it', async (t) => {
    const bed = makeBed(t);
    const store = await filled(bed);
    rmSync(join(bed.local.dir, 'a1'), { recursive: true });
    rmSync(join(bed.local.dir, 'b1'), { recursive: true });
    const { volumes, warnings } = await store.list();
    assert.deepEqual(names(volumes), ['a2', 'b1', 'b2']);
    assert.deepEqual(
      warnings.map(({ kind, volume }) => [kind, volume]),
      [['lost', 'b1']],
    );
    const lost = await rejectsWith(store.get('b1'), 'VOLUME_LOST');
    assert.deepEqual(
      (lost.details['holders'] as { id: string }[]).map(({ id }) => id),
      ['c1'],
    );
    await rejectsWith(store.mount('b1', { holder: { id: 'c2' } }), 'VOLUME_LOST');
    assert.deepEqual(await store.forget({ volume: 'b1' }, { force: true }), ['b1']);
    await rejectsWith(store.get('b1'), 'VOLUME_NOT_FOUND');
  });

  it('waits for no hung driver beyond its deadline, and nothing else does', async (t) => {
    const bed = makeBed(t);
    const store = await filled(bed);
    const hung = new Promise<void>((_, reject) => {
      setTimeout(() => reject(engineError('TIMED_OUT', 'too slow')), 100);
    });
    bed.other.before = () => hung;
    const mounting = store.mount('a2', { holder: { id: 'c9' } });
    const started = performance.now();
    await store.mount('a1', { holder: { id: 'c9' } });
    await store.create({ name: 'c1', driver: 'local' });
    await store.remove('c1');
    assert.deepEqual(
      store.whoUses('a2').map(({ id, mounted }) => [id, mounted]),
      [['c9', false]],
    );
    assert.ok(performance.now() - started < 80, 'another volume is not delayed');
    assert.equal((await store.list()).warnings.length, 1);
    await rejectsWith(mounting, 'TIMED_OUT');
  });

  it('is quick with a thousand volumes', async (t) => {
    const bed = makeBed(t);
    const store = await bed.open();
    for (let i = 0; i < 1_000; i++) mkdirSync(join(bed.local.dir, `v${i}/data`), { recursive: true });
    await store.create({ name: 'v0', labels: { a: '1' } });
    const { text } = { text: JSON.stringify((await store.list({ name: 'v0' })).volumes) };
    assert.match(text, /"recorded":true/);
    const started = performance.now();
    assert.equal((await store.list()).volumes.length, 1_000);
    assert.ok(performance.now() - started < 500);
  });
});

describe('prune', () => {
  it('removes anonymous local volumes that nobody holds', async (t) => {
    const bed = makeBed(t);
    const store = await filled(bed);
    const { name } = await store.create();
    const opts = await store.create({ options: { type: 'nfs' } });
    const dry = await store.prune({ dryRun: true });
    assert.deepEqual(names(dry.removed), [name]);
    assert.ok(bed.local.has(name));
    const report = await store.prune();
    assert.deepEqual(names(report.removed), [name]);
    assert.equal(report.complete, true);
    assert.deepEqual(bed.local.names().sort(), ['a1', 'b1', opts.name].sort());
    assert.equal(bed.events.at(-1), `volume prune  {"reclaimed":"${report.reclaimedBytes}"}`);
  });

  it('takes a selector', async (t) => {
    const bed = makeBed(t);
    const store = await filled(bed);
    const prune = async (options: Parameters<typeof store.prune>[0]) =>
      names((await store.prune({ dryRun: true, all: true, ...options })).removed);
    assert.deepEqual(await prune({}), ['a1']);
    assert.deepEqual(await prune({ driver: ['local', 'other'] }), ['a1', 'a2', 'b2']);
    assert.deepEqual(await prune({ driver: ['local', 'other'], labels: { tier: true } }), ['a1', 'a2']);
    assert.deepEqual(await prune({ driver: ['local', 'other'], labelsNot: { tier: 'web', none: true } }), ['a1', 'b2']);
    assert.deepEqual(await prune({ driver: ['local', 'other'], filter: ({ name }) => name === 'b2' }), ['b2']);
    await rejectsWith(store.prune({ until: 1 } as object), 'UNKNOWN_OPTION');
  });

  it('leaves a volume that somebody takes, or makes anew, between choice and removal', async (t) => {
    const bed = makeBed(t);
    const store = await bed.open();
    const { root, runDir, drivers } = bed;
    const parts = await openParts({ root, runDir, drivers, emit: () => {} });
    t.after(() => void parts.close());
    for (const name of ['taken', 'anew', 'other']) await store.create({ name, anonymous: true });
    const measure = async (path: string) => {
      const name = path.split('/').at(-2) ?? '';
      if (name === 'taken') await store.hold(name, { id: 'late' });
      if (name === 'anew') {
        await store.remove(name);
        await store.create({ name, labels: { precious: '1' } });
      }
      return 5;
    };
    const report = await pruneVolumes({ ...parts.deps, measure }, {});
    assert.deepEqual(report.removed, [{ name: 'other', sizeBytes: 5 }]);
    assert.deepEqual(report.failed, []);
    assert.deepEqual(bed.local.names().sort(), ['anew', 'taken']);
    assert.equal((await store.get('anew')).labels['precious'], '1');
  });
});

describe('usage', () => {
  it('tells the size of local volumes and the holders of all', async (t) => {
    const bed = makeBed(t);
    const store = await filled(bed);
    writeFileSync(join(bed.local.dir, 'a1/data/file'), 'x'.repeat(8000));
    const size = lstatSync(join(bed.local.dir, 'b1/data')).blocks * 512;
    const seen = [];
    for await (const { name, sizeBytes, holders } of store.usage()) seen.push([name, sizeBytes, holders]);
    assert.deepEqual(seen, [
      ['a1', size + 8192, 0],
      ['a2', undefined, 0],
      ['b1', size, 1],
      ['b2', undefined, 0],
    ]);
    const signal = AbortSignal.abort();
    await rejectsWith(store.usage({ signal }).next(), 'CANCELED');
  });
});

describe('forget', () => {
  it('drops the volumes of a driver that is gone for good', async (t) => {
    const bed = makeBed(t);
    const store = await filled(bed);
    await store.mount('a2', { holder: { id: 'c1' } });
    bed.drivers.known.delete('other');
    await rejectsWith(store.forget({ driver: 'other' }), 'VOLUME_IN_USE');
    assert.deepEqual(await store.forget({ driver: 'other' }, { force: true }), ['a2']);
    assert.deepEqual(names((await store.list()).volumes), ['a1', 'b1']);
    assert.deepEqual(store.whoUses('a2'), []);
    await store.release('a2', 'c1');
    assert.deepEqual(await store.forget({ volume: 'a2' }), []);
    await rejectsWith(store.forget({} as { volume: string }), 'BAD_OPTION');
  });

  it('is what remove by force does when the driver is not here', async (t) => {
    const bed = makeBed(t);
    const store = await filled(bed);
    bed.drivers.known.delete('other');
    await rejectsWith(store.remove('a2'), 'DRIVER_NOT_FOUND');
    await store.remove('a2', { force: true });
    await store.remove('a2', { force: true });
    await rejectsWith(store.remove('a2'), 'VOLUME_NOT_FOUND');
  });
});

describe('watch', () => {
  it('sees what any store of the root does', async (t) => {
    const bed = makeBed(t);
    const { root, runDir, drivers } = bed;
    const options = { root, runDir, drivers };
    await using a = await VolumeStore.open(options);
    await using b = await VolumeStore.open(options);
    const events = a.watch({ name: 'data' });
    await b.create({ name: 'else' });
    await b.create({ name: 'data' });
    await b.mount('data', { holder: { id: 'c1' } });
    await b.release('data', 'c1');
    await b.remove('data');
    const actions = [];
    for await (const { action } of events) {
      actions.push(action);
      if (action === 'destroy') break;
    }
    assert.deepEqual(actions, ['create', 'mount', 'unmount', 'destroy']);
    await a.close();
    await rejectsWith(a.create(), 'CLOSED');
  });
});

describe('a damaged record', () => {
  it('is moved aside and reported; the content can be adopted again', async (t) => {
    const bed = makeBed(t);
    const store = await filled(bed);
    writeFileSync(join(bed.local.dir, 'b1/data/file'), 'precious');
    writeFileSync(join(bed.dir, 'root/v1/volumes/records/b1/record.json'), '{"schema":1,');
    const { volumes, warnings } = await store.list();
    assert.deepEqual(
      warnings.map(({ kind, volume }) => [kind, volume]),
      [['record-unreadable', 'b1']],
    );
    assert.deepEqual(names(volumes), ['a1', 'a2', 'b1', 'b2']);
    assert.deepEqual(
      store.whoUses('b1').map(({ id }) => id),
      ['c1'],
      'holders are not lost with it',
    );
    await rejectsWith(store.remove('b1'), 'VOLUME_IN_USE');
    const again = await store.create({ name: 'b1', labels: { a: '1' } });
    assert.equal(again.labels['a'], '1');
    assert.ok((await store.mount('b1', { holder: { id: 'c1' } })).mountpoint.endsWith('b1/data'));
    await store.release('b1', 'c1');
    await store.remove('b1');
  });
});
