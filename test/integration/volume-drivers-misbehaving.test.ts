import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { EngineError } from '#src/errors/index.js';
import { LegacyPlugins } from '#src/plugins/index.js';
import { type DriverLimits, DriverStore, type GuardedDriver } from '#src/volumes/drivers/index.js';
import { directoryDriver } from '#support/directory-driver.js';
import type { PluginBehaviour } from '#support/plugins/plugin-behaviour.js';
import { startVolumePlugin, type VolumePlugin } from '#support/plugins/volume-plugin.js';
import { rejectsReason } from '#support/rejects-reason.js';
import { tempDir } from '#support/roots.js';
import { within } from '#support/within.js';

interface Bed {
  readonly bad: VolumePlugin;
  readonly store: DriverStore;
  /** The misbehaving plugin, with volume `v`. */
  readonly driver: GuardedDriver;
  /** Does all with a plugin that behaves and with a driver of the host; fails when that takes long. */
  othersWork(): Promise<void>;
}

const ID = 'a'.repeat(64);

/** One plugin that will misbehave, one that will not, and a driver of the host, in one store. */
async function makeBed(t: TestContext, limits: DriverLimits = {}): Promise<Bed> {
  const dir = tempDir(t, 'bad');
  const socketDir = join(dir, 'plugins');
  const bad = await startVolumePlugin(t, { dir, name: 'bad' });
  await startVolumePlugin(t, { dir: join(dir, 'g'), name: 'good', listen: { socket: join(socketDir, 'good.sock') } });
  mkdirSync(join(dir, 'host'));
  const plugins = await LegacyPlugins.open({ socketDirs: [socketDir], specDirs: [], retryMs: 0 });
  const drivers = [directoryDriver(join(dir, 'host'), 'host')];
  const store = await DriverStore.open({ plugins, drivers, limits: { bad: limits } });
  t.after(() => void store.close());
  const driver = await store.get('bad');
  await driver.create({ name: 'v', options: {} });
  let round = 0;
  const othersWork = async () => {
    round++;
    for (const other of ['good', 'host']) {
      const work = async () => {
        const driver = await store.get(other);
        const name = `v${round}`;
        await driver.create({ name, options: {} });
        const { mountpoint } = await driver.mount({ name, id: ID });
        writeFileSync(join(mountpoint, 'file'), '');
        await driver.unmount({ name, id: ID });
        assert.equal((await driver.get(name))?.name, name);
        assert.equal((await driver.list()).length, 1);
        await driver.remove(name);
      };
      await within(work(), 10_000);
    }
  };
  return { bad, store, driver, othersWork };
}

/** Every method of the driver, all under way at once. */
function allCalls(driver: GuardedDriver): Promise<unknown>[] {
  return [
    driver.create({ name: 'w', options: {} }),
    driver.mount({ name: 'v', id: ID }),
    driver.get('v'),
    driver.list(),
    driver.unmount({ name: 'v', id: ID }),
    driver.remove('v'),
  ];
}

describe('a plugin that misbehaves', () => {
  it('hangs: nobody else waits, and its calls end at their deadlines', async (t) => {
    const short = { create: 3_000, mount: 3_000, get: 3_000, list: 3_000, unmount: 3_000, remove: 3_000 };
    const { bad, driver, othersWork } = await makeBed(t, { deadlinesMs: short, breaker: { failures: 100 } });
    await bad.behave('*', { kind: 'hung' });
    let ended = 0;
    const calls = allCalls(driver);
    for (const call of calls) call.catch(() => ended++);
    await othersWork();
    assert.equal(ended, 0, 'the calls that hang ended before the others worked: they proved nothing');
    for (const call of calls) await rejectsReason(within(call), 'DRIVER_TIMEOUT');
  });

  it('is slow: its answers come, and nobody else waits', async (t) => {
    const { bad, driver, othersWork } = await makeBed(t);
    await bad.behave('VolumeDriver.Get', { kind: 'slow', ms: 2_000 });
    let isAnswered = false;
    const slow = driver.get('v').then((volume) => {
      isAnswered = true;
      return volume;
    });
    await othersWork();
    assert.equal(isAnswered, false);
    assert.equal((await within(slow))?.name, 'v');
  });

  it('hangs in many calls at once: they are given up by their callers, and leave nothing', async (t) => {
    const { bad, driver, othersWork } = await makeBed(t);
    await bad.behave('VolumeDriver.Get', { kind: 'hung' });
    const controller = new AbortController();
    const calls = Array.from({ length: 200 }, () => driver.get('v', { signal: controller.signal }));
    const settled = Promise.allSettled(calls);
    await othersWork();
    controller.abort();
    for (const result of await within(settled)) {
      assert.equal(result.status === 'rejected' && (result.reason as EngineError).reason, 'CANCELED');
    }
    await bad.behave('VolumeDriver.Get', { kind: 'normal' });
    assert.equal((await driver.get('v'))?.name, 'v');
    assert.equal(driver.isSuspended, false);
  });

  it('is left alone when it hangs again and again, and taken back when it answers', async (t) => {
    const { bad, driver, store } = await makeBed(t, {
      deadlinesMs: { get: 100 },
      breaker: { failures: 2, cooldownMs: 300 },
    });
    await bad.behave('VolumeDriver.Get', { kind: 'hung' });
    for (let i = 0; i < 2; i++) await rejectsReason(within(driver.get('v')), 'DRIVER_TIMEOUT');
    await bad.forgetCalls();
    for (let i = 0; i < 5; i++) await rejectsReason(driver.get('v'), 'DRIVER_SUSPENDED');
    assert.deepEqual(await bad.calls(), []);
    assert.equal((await store.list()).find((one) => one.name === 'bad')?.isSuspended, true);
    await bad.behave('VolumeDriver.Get', { kind: 'normal' });
    await delay(400);
    assert.equal((await driver.get('v'))?.name, 'v');
    assert.equal(driver.isSuspended, false);
  });

  const nonsense: [PluginBehaviour, string][] = [
    [{ kind: 'garbage' }, 'DRIVER_BAD_ANSWER'],
    [{ kind: 'huge', bytes: 20 << 20 }, 'DRIVER_BAD_ANSWER'],
    [{ kind: 'endless' }, 'DRIVER_BAD_ANSWER'],
    [{ kind: 'truncated' }, 'DRIVER_UNREACHABLE'],
    [{ kind: 'reset' }, 'DRIVER_UNREACHABLE'],
    [{ kind: 'answer', value: null }, 'DRIVER_BAD_ANSWER'],
    [{ kind: 'answer', value: [] }, 'DRIVER_BAD_ANSWER'],
    [{ kind: 'answer', value: 'x' }, 'DRIVER_BAD_ANSWER'],
    [{ kind: 'answer', value: { Err: { text: 'x' } } }, 'DRIVER_BAD_ANSWER'],
    [{ kind: 'err', text: 'the disk is full' }, 'DRIVER_FAILED'],
    [{ kind: 'missing' }, 'DRIVER_FAILED'],
  ];
  for (const [behaviour, reason] of nonsense) {
    it(`answers ${JSON.stringify(behaviour)}: each call says so, and no volume is taken for gone`, async (t) => {
      const { bad, driver, othersWork } = await makeBed(t, {
        deadlinesMs: { get: 20_000 },
        breaker: { failures: 100 },
      });
      for (const method of ['Create', 'Mount', 'Get', 'List', 'Unmount', 'Remove']) {
        await bad.behave(`VolumeDriver.${method}`, behaviour);
      }
      const calls = [() => driver.get('v'), () => driver.list(), () => driver.mount({ name: 'v', id: ID })];
      for (const call of calls) {
        const error = await rejectsReason(within<unknown>(call(), 30_000), reason);
        assert.equal(error.details['driver'], 'bad');
      }
      await othersWork();
      for (const method of ['Create', 'Mount', 'Get', 'List', 'Unmount', 'Remove']) {
        await bad.behave(`VolumeDriver.${method}`, { kind: 'normal' });
      }
      assert.equal((await driver.get('v'))?.name, 'v');
    });
  }

  it('answers HTTP 500 after it did what was asked: a second try succeeds', async (t) => {
    const { bad, driver } = await makeBed(t);
    for (const [method, work] of [
      ['Create', () => driver.create({ name: 'w', options: {} })],
      ['Mount', () => driver.mount({ name: 'w', id: ID })],
      ['Unmount', () => driver.unmount({ name: 'w', id: ID })],
      ['Remove', () => driver.remove('w')],
    ] as const) {
      await bad.behave(`VolumeDriver.${method}`, { kind: 'status', status: 500, body: 'out of order' }, 1);
      await rejectsReason(work(), 'DRIVER_FAILED');
      await work();
    }
    assert.equal(await driver.get('w'), undefined);
  });

  it('dies in the middle: the call says so, others go on, and it works again when it is back', async (t) => {
    for (const when of ['before', 'after'] as const) {
      await t.test(`${when} the effect`, async (t) => {
        const { bad, store, driver, othersWork } = await makeBed(t);
        await driver.scope();
        await bad.behave('VolumeDriver.Create', { kind: 'dies', when });
        await rejectsReason(within(driver.create({ name: 'w', options: {} })), 'DRIVER_UNREACHABLE');
        await othersWork();
        await rejectsReason(within(store.get('bad')), 'DRIVER_UNREACHABLE');
        await bad.restart({ scope: 'global' });
        const again = await within(store.get('bad'));
        assert.notEqual(again, driver);
        assert.equal(await again.scope(), 'global');
        assert.equal((await again.get('v'))?.name, 'v');
        assert.equal((await again.get('w'))?.name, when === 'after' ? 'w' : undefined);
        await again.create({ name: 'w', options: {} });
      });
    }
  });

  it('comes back as something else: it is no volume driver any more', async (t) => {
    const { bad, store, driver, othersWork } = await makeBed(t);
    await bad.restart({ implements: ['NetworkDriver'] });
    assert.equal(await within(store.find('bad')), undefined);
    await rejectsReason(within(driver.get('v')), 'PLUGIN_LACKS_CAPABILITY');
    await othersWork();
    await bad.restart({ implements: ['VolumeDriver'] });
    assert.equal((await (await within(store.get('bad'))).get('v'))?.name, 'v');
  });

  for (const path of [
    '/',
    '//',
    '/..',
    '../x',
    'relative',
    '',
    '/tmp/../..',
    `/${'x'.repeat(5_000)}`,
    '/nowhere/at/all',
  ]) {
    it(`gives the mountpoint ${path.slice(0, 20)}: it is not used`, async (t) => {
      const { bad, driver, othersWork } = await makeBed(t);
      for (const method of ['Mount', 'Path']) await bad.behave(`VolumeDriver.${method}`, { kind: 'mountpoint', path });
      await rejectsReason(driver.mount({ name: 'v', id: ID }), 'DRIVER_BAD_ANSWER');
      await bad.behave('VolumeDriver.Get', { kind: 'mountpoint', path });
      await bad.behave('VolumeDriver.List', { kind: 'mountpoint', path });
      const shown = path === '/nowhere/at/all' ? path : undefined;
      assert.equal((await driver.get('v'))?.mountpoint, shown);
      assert.deepEqual(
        (await driver.list()).map((volume) => volume.mountpoint),
        [shown],
      );
      await driver.unmount({ name: 'v', id: ID });
      await othersWork();
    });
  }

  it('hangs in the handshake: the others are found and listed', async (t) => {
    const { bad, store, othersWork } = await makeBed(t);
    await bad.restart();
    await bad.behave('Plugin.Activate', { kind: 'hung' });
    let isFound = false;
    const call = new AbortController();
    const search = store.find('bad', { signal: call.signal }).finally(() => {
      isFound = true;
    });
    search.catch(() => {});
    await othersWork();
    assert.equal(isFound, false);
    call.abort();
    await rejectsReason(within(search), 'CANCELED');
    const { drivers, problems } = await within(store.all(), 8_000);
    assert.ok(drivers.some((driver) => driver.name === 'good') && drivers.some((driver) => driver.name === 'host'));
    assert.equal(problems.length, 1);
    await bad.behave('Plugin.Activate', { kind: 'normal' });
    const given = new AbortController();
    const list = store.all({ signal: given.signal });
    given.abort();
    await rejectsReason(within(list), 'CANCELED');
  });
});
