import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { EngineError, engineError } from '#src/errors/index.js';
import { DriverStore, guardDriver } from '#src/volumes/drivers/index.js';
import type { PluginEndpoint, PluginLookup } from '#src/volumes/plugin-lookup.js';
import type { VolumeDriver } from '#src/volumes/volume-driver.js';
import { directoryDriver } from '#support/directory-driver.js';
import { rejectsReason } from '#support/rejects-reason.js';
import { tempDir } from '#support/roots.js';
import { throwsReason } from '#support/throws-reason.js';
import { within } from '#support/within.js';

const dir = tempDir({ after }, 'store');
mkdirSync(join(dir, 'volumes'));
const host = (name: string) => directoryDriver(join(dir, 'volumes'), name);

/** Plugins as plain objects: what PluginLookup says, without processes. */
class Lookup implements PluginLookup {
  readonly endpoints = new Map<string, PluginEndpoint>();
  readonly asked: string[] = [];
  readonly held: string[] = [];
  failure: (() => Promise<never>) | undefined;

  add(name: string, generation = '1', call: PluginEndpoint['call'] = async () => ({})): void {
    this.endpoints.set(name.replace(/:latest$/, ''), { name, generation, call, hostPath: (path) => path });
  }
  async find(name: string) {
    this.asked.push(name);
    await this.failure?.();
    return this.endpoints.get(name.replace(/:latest$/, ''));
  }
  async list() {
    await this.failure?.();
    return { plugins: [...this.endpoints.values()], problems: [{ name: 'broken', error: new Error('why') }] };
  }
  async hold(name: string, _: string, holder: string) {
    await delay(1);
    this.held.push(`+${name} ${holder}`);
  }
  async release(name: string, _: string, holder: string) {
    await delay(1);
    this.held.push(`-${name} ${holder}`);
  }
}

describe('a DriverStore', () => {
  it('finds drivers of the host by any spelling of their name', async () => {
    await using store = await DriverStore.open({ drivers: [host('mine')] });
    const driver = await store.get('mine');
    assert.equal(driver.source, 'host');
    assert.equal(await store.find('mine:latest'), driver);
    assert.equal(await store.find('mine:v2'), undefined);
    const error = await rejectsReason(store.get('mime'), 'DRIVER_NOT_FOUND');
    assert.match(error.message, /did you mean mine/);
    await rejectsReason(store.get('../x'), 'BAD_DRIVER_NAME');
  });

  it('registers a name once, and again after it was unregistered: then it is another generation', async () => {
    await using store = await DriverStore.open();
    store.register(host('mine'));
    const first = await store.get('mine');
    throwsReason(() => store.register(host('mine')), 'DRIVER_EXISTS');
    store.unregister('mine:latest');
    store.unregister('mine');
    await rejectsReason(store.get('mine'), 'DRIVER_NOT_FOUND');
    store.register(host('mine'));
    assert.notEqual((await store.get('mine')).generation, first.generation);
  });

  it('refuses what is no driver, naming the member', async () => {
    await using store = await DriverStore.open();
    const bad: [unknown, string][] = [
      [undefined, 'driver'],
      ['x', 'driver'],
      [{ ...host('a'), name: '' }, 'driver.name'],
      [{ ...host('a'), name: 'a:latest' }, 'driver.name'],
      [{ ...host('a'), name: '../a' }, 'driver.name'],
      [{ ...host('a'), scope: 'galaxy' }, 'driver.scope'],
      [{ ...host('a'), mount: undefined }, 'driver.mount'],
      [{ ...host('a'), list: [] }, 'driver.list'],
    ];
    for (const [driver, field] of bad) throwsReason(() => store.register(driver as VolumeDriver), 'BAD_DRIVER', field);
    assert.deepEqual(store.names(), []);
    await rejectsReason(DriverStore.open({ driver: [] } as never), 'UNKNOWN_OPTION');
    await rejectsReason(DriverStore.open({ limits: { 'a/../b': {} } }), 'BAD_DRIVER_NAME');
    await rejectsReason(DriverStore.open({ limits: { a: { deadlinesMs: { get: -1 } } } }), 'BAD_OPTION');
  });

  it('looks at the host first, then at the built-in one, then at plugins', async () => {
    const plugins = new Lookup();
    for (const name of ['mine', 'local', 'org/plug:latest']) plugins.add(name);
    await using shared = await DriverStore.open({ plugins });
    const local = guardDriver(host('local'), { source: 'built-in' });
    await using store = shared.withBuiltIn(local);
    assert.equal(await store.get('local'), local);
    assert.equal(await shared.find('local'), undefined);
    assert.equal((await store.get('mine')).source, 'plugin');
    store.register(host('mine'));
    assert.equal((await store.get('mine')).source, 'host');
    shared.register(host('local'));
    assert.equal((await store.get('local')).source, 'host');
    assert.deepEqual(plugins.asked, ['mine']);
    const plug = await store.get('org/plug');
    assert.equal(plug.name, 'org/plug:latest');
    assert.equal(await store.get('docker.io/org/plug:latest'), plug);
    assert.deepEqual(store.names(), ['local', 'mine', 'org/plug:latest']);
  });

  it('asks a plugin for its scope once per generation', async () => {
    const plugins = new Lookup();
    let asked = 0;
    const call = async () => {
      asked++;
      await delay(5);
      return { Capabilities: { Scope: 'GLOBAL' } };
    };
    plugins.add('plug', '1', call);
    await using store = await DriverStore.open({ plugins });
    const first = await store.get('plug');
    assert.deepEqual(await Promise.all([first.scope(), first.scope(), (await store.get('plug:latest')).scope()]), [
      'global',
      'global',
      'global',
    ]);
    await first.scope();
    assert.equal(asked, 1);
    plugins.add('plug', '2', call);
    const second = await store.get('plug');
    assert.notEqual(second, first);
    await second.scope();
    assert.equal(asked, 2);
  });

  it('lets one caller give up without taking the scope from the others', async () => {
    const plugins = new Lookup();
    plugins.add('plug', '1', async () => {
      await delay(20);
      return { Capabilities: { Scope: 'global' } };
    });
    await using store = await DriverStore.open({ plugins });
    const driver = await store.get('plug');
    const controller = new AbortController();
    const [gaveUp, stays] = [driver.scope({ signal: controller.signal }), driver.scope()];
    controller.abort();
    await rejectsReason(gaveUp, 'CANCELED');
    assert.equal(await stays, 'global');
  });

  it('does not wait again and again for a plugin that hangs while it is looked up', async () => {
    const plugins = new Lookup();
    plugins.add('other');
    plugins.failure = () => new Promise<never>(() => {});
    const limits = { deadlinesMs: { find: 20 }, breaker: { failures: 2, cooldownMs: 50 } };
    await using store = await DriverStore.open({ plugins, ...limits });
    for (let i = 0; i < 2; i++) {
      await rejectsReason(within(store.find('hung')), 'DRIVER_TIMEOUT');
    }
    await rejectsReason(store.find('hung:latest'), 'DRIVER_SUSPENDED');
    plugins.failure = undefined;
    assert.equal((await store.get('other')).name, 'other');
    await rejectsReason(store.find('hung'), 'DRIVER_SUSPENDED');
    await delay(70);
    assert.equal(await store.find('hung'), undefined);
  });

  it('says that a plugin could not be asked, not that there is none', async () => {
    const plugins = new Lookup();
    const failing = (error: Error) => {
      plugins.failure = () => Promise.reject(error);
    };
    await using store = await DriverStore.open({ plugins });
    failing(new EngineError('UNAVAILABLE', 'PLUGIN_UNREACHABLE', 'nobody listens'));
    const error = await rejectsReason(store.find('plug'), 'DRIVER_UNREACHABLE');
    assert.match(error.message, /search for driver "plug".*nobody listens/);
    failing(new EngineError('PERMISSION_DENIED', 'PLUGIN_UNTRUSTED', 'owned by another'));
    assert.equal((await rejectsReason(store.find('plug'), 'PLUGIN_UNTRUSTED')).details['driver'], 'plug');
    const controller = new AbortController();
    plugins.failure = () => new Promise<never>(() => {});
    const call = store.find('plug', { signal: controller.signal });
    controller.abort();
    await rejectsReason(call, 'CANCELED');
  });

  it('keeps holders by name until their last lease is released, whatever state the driver is in', async () => {
    await using store = await DriverStore.open({ drivers: [host('mine')] });
    const first = await store.acquire('mine', { holder: 'a' });
    const again = await store.acquire('mine:latest', { holder: 'a' });
    {
      await using other = await store.acquire('mine', { holder: 'b' });
      assert.equal(other.driver, first.driver);
      const error = throwsReason(() => store.unregister('mine'), 'DRIVER_IN_USE');
      assert.deepEqual(error.details['holders'], ['a', 'b']);
    }
    await first.release();
    await first.release();
    assert.deepEqual((await store.list())[0]?.holders, ['a']);
    store.unregister('mine', { force: true });
    await again.release();
    await rejectsReason(store.acquire('mine', { holder: 'a' }), 'DRIVER_NOT_FOUND');
    await rejectsReason(store.acquire('mine', { holder: '' }), 'BAD_OPTION');
    store.register(host('mine'));
    const late = await store.acquire('mine', { holder: 'c' });
    await store.close();
    await late.release();
    await rejectsReason(store.get('mine'), 'CLOSED');
  });

  it('holds a plugin once per holder, and lets it go even if the plugin fails or hangs', async () => {
    const plugins = new Lookup();
    plugins.add('plug:latest');
    await using store = await DriverStore.open({ plugins });
    const first = await store.acquire('plug', { holder: 'a' });
    const second = await store.acquire('plug', { holder: 'a' });
    await first.release();
    assert.ok(!plugins.held.some((line) => line.startsWith('-')));
    await second.release();
    assert.equal(plugins.held.at(-1), '-plug:latest a');
    const lease = await store.acquire('plug', { holder: 'a' });
    // At once: the release that is under way must not undo the next hold.
    await Promise.all([lease.release(), store.acquire('plug', { holder: 'a' })]);
    assert.notEqual(plugins.held.at(-1)?.[0], '-');
    const third = await store.acquire('plug', { holder: 'x' });
    plugins.release = () => Promise.reject(engineError('DRIVER_FAILED', 'disabled'));
    await third.release();
    plugins.hold = () => Promise.reject(new EngineError('UNAVAILABLE', 'PLUGIN_UNREACHABLE', 'gone'));
    await rejectsReason(store.acquire('plug', { holder: 'y' }), 'DRIVER_UNREACHABLE');
    assert.deepEqual((await store.list()).find((one) => one.name === 'plug:latest')?.holders, ['a']);
  });

  it('lists all with what they say, and those that say nothing with their problem', async () => {
    const plugins = new Lookup();
    plugins.add('good', '1', async () => ({ Capabilities: { Scope: 'global' } }));
    plugins.add('mine');
    plugins.add('dead', '1', () => Promise.reject(new EngineError('UNAVAILABLE', 'PLUGIN_UNREACHABLE', 'nobody')));
    await using store = await DriverStore.open({ plugins, drivers: [host('mine'), host('zed')] });
    const list = await store.list();
    assert.deepEqual(
      list.map(({ name, source, scope, problem }) => [name, source, scope, problem?.reason]),
      [
        ['broken', 'plugin', undefined, 'DRIVER_FAILED'],
        ['dead', 'plugin', undefined, 'DRIVER_UNREACHABLE'],
        ['good', 'plugin', 'global', undefined],
        ['mine', 'host', 'local', undefined],
        ['zed', 'host', 'local', undefined],
      ],
    );
    plugins.failure = () => Promise.reject(new Error('no directory'));
    const { drivers, problems } = await store.all();
    // What was used before is still there.
    assert.deepEqual(drivers.map((driver) => driver.name).sort(), ['dead', 'good', 'mine', 'zed']);
    assert.equal(problems.length, 1);
  });
});
