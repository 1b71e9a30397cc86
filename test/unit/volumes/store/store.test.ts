import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { identifyProcess, type ProcessIdentity } from '#src/os/process-identity.js';
import { openParts } from '#src/volumes/store/open-parts.js';
import type { VolumeRecord } from '#src/volumes/store/volume-record.js';
import { type Bed, makeBed, rejectsWith } from './bed.js';

const self = identifyProcess(process.pid) as ProcessIdentity;
const dead: ProcessIdentity = { ...self, startTime: '1' };

describe('create', () => {
  it('makes a volume that another store of the root finds', async (t) => {
    const bed = makeBed(t);
    const store = await bed.open();
    const labels = JSON.parse('{"__proto__":"x","constructor":"y","a":""}') as Record<string, string>;
    const made = await store.create({ name: 'data', options: { type: 'tmpfs', __proto__: 'z' }, labels });
    assert.equal(made.driver, 'local');
    assert.equal(made.anonymous, false);
    const found = await (await bed.open()).get('data');
    assert.deepEqual(Object.entries(found.labels), Object.entries(labels));
    assert.equal(found.mountpoint, join(bed.local.dir, 'data', 'data'));
    assert.ok(found.createdAt instanceof Date);
    assert.deepEqual(bed.events, ['volume create data {"driver":"local"}']);
  });

  it('gives a volume without a name 64 hex digits and the mark', async (t) => {
    const store = await makeBed(t).open();
    const made = await store.create();
    assert.match(made.name, /^[0-9a-f]{64}$/);
    assert.equal(made.anonymous, true);
    assert.equal((await store.create({ name: 'named', anonymous: true })).anonymous, true);
  });

  it('gives back what is equal, and refuses what differs with the names of what does', async (t) => {
    const bed = makeBed(t);
    const store = await bed.open();
    await store.create({ name: 'data', driver: 'other', options: { o: '1', p: '1' }, labels: { a: '1' } });
    const same = { name: 'data', options: { o: '1', p: '1' }, labels: { a: '1' } };
    for (const driver of ['other', 'other:latest'])
      assert.equal((await store.create({ ...same, driver })).driver, 'other:latest');
    assert.equal((await store.create(same)).driver, 'other:latest');
    const wrong = { name: 'data', driver: 'local', options: { o: '2', q: '1' }, labels: { b: '1' } };
    const error = await rejectsWith(store.create(wrong), 'VOLUME_CONFLICT');
    assert.deepEqual(error.details['differs'], [
      'driver',
      'options.o',
      'options.p',
      'options.q',
      'labels.a',
      'labels.b',
    ]);
    assert.equal(error.code, 'CONFLICT');
    await rejectsWith(store.create({ ...same, ifExists: 'error' }), 'VOLUME_EXISTS');
    assert.equal((await store.create({ ...wrong, ifExists: 'return' })).labels['a'], '1');
    assert.equal(bed.events.length, 1);
  });

  it('makes one volume when many ask at once', async (t) => {
    const bed = makeBed(t);
    const stores = [await bed.open(), await bed.open(), await bed.open()];
    bed.local.before = (method) =>
      method === 'create' ? new Promise((resolve) => setTimeout(resolve, 20)) : undefined;
    const results = await Promise.allSettled(
      stores.flatMap((store) => [1, 2].map(() => store.create({ name: 'one', ifExists: 'error' }))),
    );
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
    assert.equal(bed.local.calls.filter((method) => method === 'create').length, 1);
  });

  it('leaves nothing when the driver fails', async (t) => {
    const bed = makeBed(t);
    const store = await bed.open();
    bed.local.before = (method) => {
      if (method === 'create') throw new Error('HTTP 500');
    };
    await assert.rejects(store.create({ name: 'bad' }), /HTTP 500/);
    assert.equal(await store.find('bad'), undefined);
    assert.deepEqual(readdirSync(join(bed.dir, 'root/v1/volumes/records')), []);
    assert.deepEqual(readdirSync(join(bed.dir, 'run/volumes/locks')), []);
  });

  it('refuses bad input', async (t) => {
    const store = await makeBed(t).open();
    await rejectsWith(store.create({ name: '../x' }), 'BAD_NAME');
    await rejectsWith(store.create({ name: 'x', labels: { a: 1 as unknown as string } }), 'BAD_OPTION');
    await rejectsWith(store.create({ name: 'x', ifExists: 'maybe' as 'error' }), 'BAD_OPTION');
    await rejectsWith(store.create({ nam: 'x' } as object), 'UNKNOWN_OPTION');
    await rejectsWith(store.create({ name: 'x', holder: { id: 'a/b' } }), 'BAD_NAME');
    await rejectsWith(store.create({ name: 'x', driver: 'none' }), 'DRIVER_NOT_FOUND');
  });

  it('adopts what a driver has, with the wanted labels', async (t) => {
    const bed = makeBed(t);
    const store = await bed.open();
    await bed.other.create({ name: 'old', options: {} });
    const adopted = await store.create({ name: 'old', labels: { a: '1' } });
    assert.equal(adopted.driver, 'other:latest');
    assert.equal((await store.get('old')).labels['a'], '1');
    assert.deepEqual(bed.events, []);
    await rejectsWith(store.create({ name: 'old', labels: { a: '2' } }), 'VOLUME_CONFLICT');
  });

  it('waits for no driver that hangs when none is named', async (t) => {
    const bed = makeBed(t);
    const store = await bed.open({ probeTimeoutMs: 30 });
    bed.other.before = (_method, _name, signal) =>
      new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new Error('gave up'))));
    assert.equal((await store.create({ name: 'quick' })).driver, 'local');
  });
});

describe('holders', () => {
  it('keep a volume from being removed, and are named', async (t) => {
    const bed = makeBed(t);
    const store = await bed.open();
    await store.create({ name: 'data', holder: { id: 'c1', kind: 'container' } });
    await store.hold('data', { id: 'c1', kind: 'container' });
    await store.hold('data', { id: 'p1', owner: self });
    const other = await bed.open();
    assert.deepEqual(
      other.whoUses('data').map(({ id, kind }) => [id, kind]),
      [
        ['c1', 'container'],
        ['p1', 'ephemeral'],
      ],
    );
    const error = await rejectsWith(other.remove('data', { force: true }), 'VOLUME_IN_USE');
    assert.match(error.message, /"c1", "p1"/);
    assert.deepEqual(
      (error.details['holders'] as { id: string }[]).map(({ id }) => id),
      ['c1', 'p1'],
    );
    assert.ok(!bed.local.calls.includes('remove'), 'the driver is not asked');
    await other.release('data', 'c1');
    await store.release('data', 'p1');
    await store.release('data', 'p1');
    await store.release('unknown', 'p1');
    await other.remove('data');
    assert.equal(bed.local.has('data'), false);
    assert.deepEqual(readdirSync(join(bed.dir, 'root/v1/volumes/holders')), []);
    assert.deepEqual(readdirSync(join(bed.dir, 'run/volumes/uses')), []);
    assert.deepEqual(readdirSync(join(bed.dir, 'run/volumes/locks')), []);
  });

  it('count only while their process lives; what they had mounted is undone', async (t) => {
    const bed = makeBed(t);
    const store = await bed.open();
    await store.create({ name: 'data' });
    await store.mount('data', { holder: { id: 'gone', owner: dead } });
    assert.equal(bed.local.mountIds('data').length, 1);
    assert.deepEqual(store.whoUses('data'), []);
    await store.remove('data');
    assert.equal(bed.local.has('data'), false);
  });

  it('of a dead process are undone by the next that opens', async (t) => {
    const bed = makeBed(t);
    const store = await bed.open();
    await store.create({ name: 'data' });
    await store.mount('data', { holder: { id: 'gone', owner: dead } });
    const { name } = await store.create({ holder: { id: 'gone', owner: dead } });
    await store.mount(name, { holder: { id: 'gone', owner: dead } });
    await bed.open();
    assert.deepEqual(bed.local.mountIds('data'), []);
    assert.deepEqual(bed.local.names(), ['data'], 'an anonymous volume goes with its process');
    assert.deepEqual(readdirSync(join(bed.dir, 'run/volumes/uses/data')), []);
  });

  it('whose container is gone are dropped, at open and when the volume is in use', async (t) => {
    const bed = makeBed(t);
    const store = await bed.open();
    await store.create({ name: 'data' });
    await store.mount('data', { holder: { id: 'gone', kind: 'container' } });
    await store.hold('data', { id: 'lives', kind: 'container' });
    await store.hold('data', { id: 'mine' });
    const exists = new Set(['lives']);
    const asked: string[] = [];
    const next = await bed.open({
      holderExists: ({ id }) => {
        asked.push(id);
        return exists.has(id);
      },
    });
    assert.deepEqual(
      next.whoUses('data').map(({ id }) => id),
      ['lives', 'mine'],
    );
    assert.deepEqual(bed.local.mountIds('data'), []);
    assert.ok(!asked.includes('mine'), 'only containers are asked about');
    exists.clear();
    await next.release('data', 'mine');
    await next.remove('data');
    await rejectsWith(store.get('data'), 'VOLUME_NOT_FOUND');
  });

  it('of one id belong to one living process', async (t) => {
    const bed = makeBed(t);
    const store = await bed.open();
    await store.create({ name: 'data' });
    const init = identifyProcess(1) as ProcessIdentity;
    await store.mount('data', { holder: { id: 'h', owner: init } });
    await rejectsWith(store.mount('data', { holder: { id: 'h', owner: self } }), 'VOLUME_HOLDER_TAKEN');
    await store.release('data', 'h');
    await store.mount('data', { holder: { id: 'h', owner: dead } });
    const [id] = bed.local.mountIds('data');
    await store.mount('data', { holder: { id: 'h', owner: self } });
    assert.equal(bed.local.mountIds('data').length, 1);
    assert.notEqual(bed.local.mountIds('data')[0], id, 'the mount of the dead holder was undone');
  });

  it('hold by their file, whatever is in it', async (t) => {
    const bed = makeBed(t);
    const store = await bed.open({ holderExists: () => false });
    await store.create({ name: 'data', holder: { id: 'c1', kind: 'container' } });
    writeFileSync(join(bed.dir, 'root/v1/volumes/holders/data/c1'), 'garbage');
    await rejectsWith(store.remove('data'), 'VOLUME_IN_USE');
    await store.release('data', 'c1');
    await store.remove('data');
  });
});

describe('mount', () => {
  it('is one per holder, and unmount is idempotent', async (t) => {
    const bed = makeBed(t);
    const store = await bed.open();
    await store.create({ name: 'data', driver: 'other' });
    const options = { holder: { id: 'c1' }, destination: '/data', readOnly: true };
    const first = await store.mount('data', options);
    const again = await (await bed.open()).mount('data', options);
    assert.deepEqual(again, first);
    assert.deepEqual(bed.other.mountIds('data'), [first.mountId]);
    assert.equal(bed.other.calls.filter((method) => method === 'mount').length, 1, 'a plugin is told once');
    const second = await store.mount('data', { holder: { id: 'c2' } });
    assert.notEqual(second.mountId, first.mountId);
    await store.unmount('data', 'c1');
    await store.unmount('data', 'c1');
    await store.unmount('data', 'nobody');
    assert.deepEqual(bed.other.mountIds('data'), [second.mountId]);
    assert.deepEqual(
      store.whoUses('data').map(({ id, mounted }) => [id, mounted]),
      [
        ['c1', false],
        ['c2', true],
      ],
    );
    assert.deepEqual(bed.events.slice(1), [
      'volume mount data {"driver":"other:latest","container":"c1","destination":"/data","read/write":"false"}',
      'volume mount data {"driver":"other:latest","container":"c2","read/write":"true"}',
      'volume unmount data {"driver":"other:latest","container":"c1"}',
    ]);
  });

  it('tells a plugin that restarted again, with the same id', async (t) => {
    const bed = makeBed(t);
    const store = await bed.open();
    await store.create({ name: 'data', driver: 'other' });
    const first = await store.mount('data', { holder: { id: 'c1' } });
    bed.other.generation = '2';
    assert.equal((await store.mount('data', { holder: { id: 'c1' } })).mountId, first.mountId);
    assert.equal(bed.other.calls.filter((method) => method === 'mount').length, 2);
  });

  it('that fails leaves no hold', async (t) => {
    const bed = makeBed(t);
    const store = await bed.open();
    await store.create({ name: 'data' });
    bed.local.before = (method) => {
      if (method === 'mount') throw new Error('HTTP 500');
    };
    await assert.rejects(store.mount('data', { holder: { id: 'c1' } }), /HTTP 500/);
    await assert.rejects(store.mount('data', { holder: { id: 'p1', owner: self } }), /HTTP 500/);
    assert.deepEqual(store.whoUses('data'), []);
    assert.equal((await store.list()).volumes.length, 1);
    await store.remove('data');
  });

  it('that is given up is undone', async (t) => {
    const bed = makeBed(t);
    const store = await bed.open();
    await store.create({ name: 'data' });
    bed.local.before = (method, name) => {
      if (method !== 'mount') return;
      writeFileSync(join(bed.local.dir, name, 'ids', 'late'), '');
      rmSync(join(bed.local.dir, name, 'ids', 'late'));
      throw Object.assign(abort(), {});
    };
    await assert.rejects(store.mount('data', { holder: { id: 'c1' } }));
    assert.deepEqual(store.whoUses('data'), []);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.ok(bed.local.calls.includes('unmount'));
    assert.deepEqual(readdirSync(join(bed.dir, 'run/volumes/uses/data')), []);
  });

  it('records a volume that only its driver knew', async (t) => {
    const bed = makeBed(t);
    const store = await bed.open();
    await bed.other.create({ name: 'old', options: {} });
    assert.equal((await store.get('old')).recorded, false);
    await store.mount('old', { holder: { id: 'c1' } });
    assert.equal((await store.get('old')).recorded, true);
    await rejectsWith(store.mount('none', { holder: { id: 'c1' } }), 'VOLUME_NOT_FOUND');
    assert.ok(!existsSync(join(bed.dir, 'run/volumes/locks/none')));
  });

  it('needs no working driver to be released by force', async (t) => {
    const bed = makeBed(t);
    const store = await bed.open();
    await store.create({ name: 'data', holder: { id: 'c1' } });
    await store.mount('data', { holder: { id: 'c1' } });
    bed.local.before = (method) => {
      if (method === 'unmount') throw new Error('HTTP 500');
    };
    await assert.rejects(store.release('data', 'c1'), /HTTP 500/);
    assert.equal(store.whoUses('data').length, 1);
    await store.release('data', 'c1', { force: true });
    assert.deepEqual(store.whoUses('data'), []);
    bed.local.before = () => {};
    await bed.open();
    assert.deepEqual(bed.local.mountIds('data'), [], 'tried again');
  });
});

import { engineError } from '#src/errors/index.js';

function optionsOf({ root, runDir, drivers }: Bed) {
  return { root, runDir, drivers, emit: () => {} };
}

function abort(): Error {
  return engineError('TIMED_OUT', 'the driver was too slow');
}

describe('what a process that died has left', () => {
  it('is brought to its end by the next that opens', async (t) => {
    const bed = makeBed(t);
    const store = await bed.open();
    // Its last instruction: a directory for a record that was not written.
    mkdirSync(join(bed.root, 'v1/volumes/records/half'));
    writeFileSync(join(bed.runDir, 'volumes/locks/half'), '');
    for (const name of ['made', 'unmade', 'removed', 'kept']) await store.create({ name, labels: { a: '1' } });
    const op = { process: dead, token: 'x' };
    for (const [name, status] of [
      ['made', 'creating'],
      ['unmade', 'creating'],
      ['removed', 'removing'],
    ] as const) {
      const { deps, close } = await openParts(optionsOf(bed));
      const record = deps.files.find(name) as VolumeRecord;
      deps.files.write({ ...record, state: { status, op } });
      await close();
    }
    await bed.local.remove('unmade');
    assert.equal(await store.find('made'), undefined, 'it does not exist before its creation is acknowledged');
    writeFileSync(join(bed.runDir, `volumes/sessions/${dead.pid}-${dead.startTime}-x`), '');
    const next = await bed.open();
    assert.deepEqual(
      (await next.list()).volumes.map(({ name }) => name),
      ['kept', 'made'],
    );
    assert.equal((await next.get('made')).labels['a'], '1');
    assert.deepEqual(bed.local.names().sort(), ['kept', 'made']);
    assert.deepEqual(readdirSync(join(bed.root, 'v1/volumes/records')).sort(), ['kept', 'made']);
    assert.equal(
      readdirSync(join(bed.runDir, 'volumes/sessions')).some((name) => name.endsWith('-x')),
      false,
    );
  });

  it('is brought to its end by who needs the volume', async (t) => {
    const bed = makeBed(t);
    const store = await bed.open();
    const parts = await openParts(optionsOf(bed));
    t.after(() => void parts.close());
    const cutOff = async (status: 'creating' | 'removing' | 'doubtful') => {
      await store.create({ name: 'data', ifExists: 'return' });
      const record = parts.deps.files.find('data') as VolumeRecord;
      parts.deps.files.write({ ...record, state: { status, op: { process: dead, token: 'x' } } });
    };
    await cutOff('removing');
    await rejectsWith(store.hold('data', { id: 'c1' }), 'VOLUME_NOT_FOUND');
    assert.equal(bed.local.has('data'), false);
    await cutOff('removing');
    await store.remove('data');
    await cutOff('creating');
    await store.hold('data', { id: 'c1' });
    await store.release('data', 'c1');
    await cutOff('doubtful');
    await store.mount('data', { holder: { id: 'c1' } });
    await store.release('data', 'c1');
    bed.local.before = (method) => {
      if (method === 'get') throw new Error('HTTP 500');
    };
    const record = parts.deps.files.find('data') as VolumeRecord;
    parts.deps.files.write({ ...record, state: { status: 'doubtful' } });
    await assert.rejects(store.hold('data', { id: 'c1' }), /HTTP 500/);
    bed.local.before = () => {};
    await store.hold('data', { id: 'c1' });
  });

  it('is waited for while its process lives, and then named', async (t) => {
    const bed = makeBed(t);
    const store = await bed.open({ busyTimeoutMs: 50 });
    await store.create({ name: 'data' });
    const parts = await openParts(optionsOf(bed));
    t.after(() => void parts.close());
    const record = parts.deps.files.find('data') as VolumeRecord;
    parts.deps.files.write({ ...record, state: { status: 'removing', op: { process: self, token: 'other.1' } } });
    const busy = await rejectsWith(store.hold('data', { id: 'c1' }), 'VOLUME_BUSY');
    assert.deepEqual(busy.details['owner'], self);
    await rejectsWith(store.mount('data', { holder: { id: 'c1' }, signal: AbortSignal.abort() }), 'CANCELED');
    await rejectsWith(store.forget({ volume: 'data' }), 'VOLUME_BUSY');
    assert.deepEqual(await store.forget({ volume: 'data' }, { force: true }), ['data']);
  });
});
