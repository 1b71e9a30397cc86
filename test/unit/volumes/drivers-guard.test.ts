import assert from 'node:assert/strict';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { engineError } from '#src/errors/index.js';
import { type DriverLimits, type DriverWarning, type GuardOptions, guardDriver } from '#src/volumes/drivers/index.js';
import type { VolumeDriver } from '#src/volumes/volume-driver.js';
import { deadline } from '#support/deadline.js';
import { directoryDriver } from '#support/directory-driver.js';
import { rejectsReason } from '#support/rejects-reason.js';
import { tempDir } from '#support/roots.js';
import { within } from '#support/within.js';

const dir = tempDir({ after }, 'guard');
const volumes = join(dir, 'volumes');
mkdirSync(volumes);

const make = (changes: Partial<VolumeDriver> = {}, limits: DriverLimits = {}, options: Partial<GuardOptions> = {}) =>
  guardDriver({ ...directoryDriver(volumes), ...changes }, { source: 'host', limits: [limits], ...options });
const never = () => new Promise<never>(() => {});
const ID = 'holder';

describe('a guarded driver', () => {
  it('passes calls and answers through, of sync and async methods', async () => {
    for (const changes of [{}, { list: async () => directoryDriver(volumes).list({}) }]) {
      const driver = make(changes);
      await driver.create({ name: 'one', options: {} });
      assert.equal((await driver.get('one'))?.name, 'one');
      assert.deepEqual(await driver.mount({ name: 'one', id: ID }), { mountpoint: join(volumes, 'one') });
      await driver.unmount({ name: 'one', id: ID });
      assert.deepEqual(
        (await driver.list()).map((volume) => volume.name),
        ['one'],
      );
      assert.equal(await driver.path('one'), join(volumes, 'one'));
      await driver.remove('one');
      assert.equal(await driver.get('one'), undefined);
      assert.equal(await driver.scope(), 'local');
    }
  });

  it('hands options with any keys over, as a copy', async () => {
    const options = JSON.parse('{"__proto__":"p","constructor":"c","a":"1"}') as Record<string, string>;
    let seen: Record<string, string> = {};
    const driver = make({
      create: ({ options }) => {
        seen = options as Record<string, string>;
        seen['a'] = 'changed';
      },
    });
    await driver.create({ name: 'v', options });
    assert.deepEqual(Object.entries(seen).sort(), [
      ['__proto__', 'p'],
      ['a', 'changed'],
      ['constructor', 'c'],
    ]);
    assert.equal(options['a'], '1');
    await rejectsReason(driver.create({ name: 'v', options: { size: 5 as unknown as string } }), 'BAD_OPTION');
  });

  it('asks the driver nothing for names that are not valid', async () => {
    const driver = make({ get: () => assert.fail('asked') });
    await rejectsReason(driver.get('../x'), 'BAD_NAME');
    await rejectsReason(driver.mount({ name: 'x', id: '../y' }), 'BAD_NAME');
  });

  it('gives up a call at its deadline, of its method, and tells the driver', async () => {
    let signal: AbortSignal | undefined;
    const get: VolumeDriver['get'] = (_, call) => {
      signal = call.signal;
      return never();
    };
    const driver = make({ get }, { deadlinesMs: { get: 20 } });
    const error = await rejectsReason(within(driver.get('v')), 'DRIVER_TIMEOUT');
    assert.equal(error.code, 'DEADLINE_EXCEEDED');
    assert.deepEqual(error.details, { driver: 'dirs', method: 'get', volume: 'v', deadlineMs: 20 });
    assert.match(error.message, /driver "dirs": get of volume "v" .*20 ms.*deadlinesMs/);
    assert.equal(signal?.aborted, true);
    await driver.list();
  });

  it('ends at the signal of the caller, which says nothing about the driver', async () => {
    const driver = make({ get: never }, { breaker: { failures: 1 } });
    for (let i = 0; i < 3; i++) {
      const controller = new AbortController();
      const call = driver.get('v', { signal: controller.signal });
      controller.abort();
      await rejectsReason(call, 'CANCELED');
    }
    await rejectsReason(driver.get('v', { signal: deadline(5) }), 'TIMED_OUT');
    assert.equal(driver.isSuspended, false);
  });

  it('keeps late failures of abandoned calls from the host', async () => {
    const unhandled: unknown[] = [];
    const onUnhandled = (reason: unknown) => unhandled.push(reason);
    process.on('unhandledRejection', onUnhandled);
    try {
      const late = async () => {
        await delay(30);
        throw new Error('late');
      };
      const driver = make({ get: late, mount: late }, { deadlinesMs: { get: 5, mount: 5 } });
      const held = within(driver.get('v'));
      await rejectsReason(held, 'DRIVER_TIMEOUT');
      const controller = new AbortController();
      const call = driver.mount({ name: 'v', id: ID }, { signal: controller.signal });
      controller.abort();
      await rejectsReason(call, 'CANCELED');
      await delay(60);
      assert.deepEqual(unhandled, []);
    } finally {
      process.off('unhandledRejection', onUnhandled);
    }
  });

  it('types whatever a driver throws', async () => {
    const thrown: [unknown, string, string][] = [
      [new Error('disk\u001b[31m full'), 'DRIVER_FAILED', 'disk\\u001b[31m full'],
      ['a text', 'DRIVER_FAILED', 'a text'],
      [undefined, 'DRIVER_FAILED', 'undefined'],
      [null, 'DRIVER_FAILED', 'null'],
      [{ toString: () => assert.fail('called') }, 'DRIVER_FAILED', '{}'],
      [Object.assign(new Error('x'), { code: 'ECONNREFUSED' }), 'DRIVER_UNREACHABLE', 'x'],
      [engineError('BAD_OPTION', 'field o is wrong', { details: { field: 'o' } }), 'BAD_OPTION', 'field o is wrong'],
    ];
    for (const [error, reason, text] of thrown) {
      for (const isAsync of [false, true]) {
        const fail = () => {
          throw error;
        };
        const driver = make({ remove: isAsync ? async () => fail() : fail });
        const typed = await rejectsReason(driver.remove('v'), reason);
        assert.ok(typed.message.includes(text), typed.message);
        if (reason.startsWith('DRIVER')) assert.equal(typed.details['method'], 'remove');
      }
    }
  });

  it('is suspended after silence, not after refusals, and comes back after a probe', async () => {
    let mode: 'refuse' | 'silent' | 'well' = 'refuse';
    let calls = 0;
    const get = () => {
      calls++;
      if (mode === 'well') return undefined;
      throw mode === 'refuse' ? new Error('no') : Object.assign(new Error('gone'), { code: 'ECONNREFUSED' });
    };
    const driver = make({ get }, { breaker: { failures: 2, cooldownMs: 40 } });
    for (let i = 0; i < 5; i++) await rejectsReason(driver.get('v'), 'DRIVER_FAILED');
    mode = 'silent';
    for (let i = 0; i < 2; i++) await rejectsReason(driver.get('v'), 'DRIVER_UNREACHABLE');
    assert.equal(driver.isSuspended, true);
    const error = await rejectsReason(driver.list(), 'DRIVER_SUSPENDED');
    assert.equal(error.code, 'UNAVAILABLE');
    assert.ok((error.details['retryAfterMs'] as number) > 0);
    assert.match(error.message, /gone/);
    mode = 'well';
    await rejectsReason(driver.get('v'), 'DRIVER_SUSPENDED');
    assert.equal(calls, 7);
    await delay(60);
    assert.equal(await driver.get('v'), undefined);
    assert.equal(driver.isSuspended, false);
  });

  it('refuses mountpoints that no volume can have', async () => {
    writeFileSync(join(dir, 'file'), '');
    symlinkSync('/', join(dir, 'to-root'));
    const bad = [
      '/',
      '//',
      '/.',
      '/./',
      '',
      'relative',
      '..',
      '/a/../..',
      `${dir}/../${dir}`,
      `${dir}/missing`,
      `${dir}/file`,
      `${dir}/to-root`,
      `${dir}/x\0y`,
      `/${'x'.repeat(5000)}`,
      5,
      null,
      undefined,
    ];
    for (const mountpoint of bad) {
      const driver = make({ mount: () => ({ mountpoint: mountpoint as string }) });
      const error = await rejectsReason(driver.mount({ name: 'v', id: ID }), 'DRIVER_BAD_ANSWER');
      assert.equal(error.details['method'], 'mount');
    }
    for (const answer of [undefined, null, 'x', 5]) {
      const driver = make({ mount: () => answer as never });
      await rejectsReason(driver.mount({ name: 'v', id: ID }), 'DRIVER_BAD_ANSWER');
    }
    const tidied = make({ mount: () => ({ mountpoint: `${volumes}//./` }) });
    assert.deepEqual(await tidied.mount({ name: 'v', id: ID }), { mountpoint: volumes });
  });

  it('refuses mountpoints in the state of the engine, around it, and links there', async () => {
    const root = join(dir, 'root');
    mkdirSync(join(root, 'v1/plugins/p'), { recursive: true });
    symlinkSync(join(root, 'v1'), join(dir, 'to-state'));
    const rules = { protectedDirs: [root], allowedDirs: [join(root, 'v1/plugins')] };
    for (const mountpoint of [root, join(root, 'v1'), join(dir, 'to-state'), dir]) {
      const driver = make({ mount: () => ({ mountpoint }) }, {}, rules);
      await rejectsReason(driver.mount({ name: 'v', id: ID }), 'DRIVER_BAD_ANSWER');
      const builtIn = make({ mount: () => ({ mountpoint }) }, {}, { ...rules, source: 'built-in' });
      assert.deepEqual(await builtIn.mount({ name: 'v', id: ID }), { mountpoint });
    }
    for (const mountpoint of [join(root, 'v1/plugins/p'), volumes]) {
      const driver = make({ mount: () => ({ mountpoint }) }, {}, rules);
      assert.deepEqual(await driver.mount({ name: 'v', id: ID }), { mountpoint });
    }
    rmSync(join(dir, 'to-state'));
  });

  it('refuses answers to get that are no volume, or another', async () => {
    for (const answer of [null, 'v', 5, [], {}, { name: 'other' }, { name: '../v' }, { name: 5 }]) {
      const driver = make({ get: () => answer as never });
      await rejectsReason(driver.get('v'), 'DRIVER_BAD_ANSWER');
    }
  });

  it('leaves out what is wrong in a volume, and says so', async () => {
    const warnings: DriverWarning[] = [];
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    for (const [part, value] of [
      ['mountpoint', '/'],
      ['mountpoint', 'x/../y'],
      ['createdAt', 'yesterday'],
      ['createdAt', new Date(Number.NaN)],
      ['status', circle],
      ['status', { long: 'x'.repeat(300_000) }],
      ['status', []],
    ] as const) {
      const driver = make({ get: () => ({ name: 'v', [part]: value }) });
      warnings.length = 0;
      const volume = await driver.get('v', { onWarning: (warning) => warnings.push(warning) });
      assert.deepEqual(volume, { name: 'v' });
      assert.equal(warnings.length, 1);
      assert.equal(warnings[0]?.volume, 'v');
    }
    const status = JSON.parse('{"__proto__":{"a":1},"n":[1,{"b":null}]}');
    const whole = { name: 'v', mountpoint: '/a/b', createdAt: new Date(5), status };
    const volume = await make({ get: () => whole }).get('v', { onWarning: () => assert.fail('warned') });
    assert.deepEqual(volume, whole);
    assert.equal(JSON.stringify(volume?.status), JSON.stringify(status));
  });

  it('lists what is a volume and warns of the rest', async () => {
    const entries = [
      { name: 'a' },
      { name: '../b' },
      { name: 'a' },
      null,
      'c',
      { name: 'd', mountpoint: '/' },
      { name: 'e' },
    ];
    const warnings: string[] = [];
    const driver = make({ list: () => entries as never });
    const listed = await driver.list({ onWarning: ({ message }) => warnings.push(message) });
    assert.deepEqual(listed, [{ name: 'a' }, { name: 'd' }, { name: 'e' }]);
    assert.equal(warnings.length, 5);
    const deaf = { onWarning: () => assert.fail('a listener that throws') };
    assert.equal((await driver.list(deaf)).length, 3);
    for (const answer of [undefined, null, {}, 'x', new Set()]) {
      await rejectsReason(make({ list: () => answer as never }).list(), 'DRIVER_BAD_ANSWER');
    }
  });

  it('does not make one call wait for another', async () => {
    let release = () => {};
    const gate = new Promise<void>((resolve) => (release = resolve));
    const driver = make({ get: async (name) => (name === 'slow' ? gate.then(() => undefined) : undefined) });
    let isSlowDone = false;
    const slow = driver.get('slow').then(() => (isSlowDone = true));
    await Promise.all(Array.from({ length: 50 }, (_, i) => driver.get(`fast${i}`)));
    assert.equal(isSlowDone, false);
    release();
    await slow;
  });

  it('can take limits only that a timer can have', async () => {
    for (const [deadlinesMs, reason] of [
      [{ get: 0 }, 'BAD_OPTION'],
      [{ get: Number.POSITIVE_INFINITY }, 'BAD_OPTION'],
      [{ get: '5' }, 'BAD_OPTION'],
      [{ gett: 5 }, 'UNKNOWN_OPTION'],
    ] as const) {
      assert.throws(() => make({}, { deadlinesMs: deadlinesMs as never }), { reason });
    }
  });
});
