import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { EngineError } from '#src/errors/index.js';
import { LegacyPlugins, type LegacyPluginsOptions, type PluginClient } from '#src/plugins/index.js';
import type { PluginLookup } from '#src/volumes/plugin-lookup.js';
import { deadline } from '#support/deadline.js';
import { dockerStep, readDockerRecording } from '#support/plugins/docker-calls.js';
import { startPerlVolumePlugin } from '#support/plugins/perl-volume-plugin.js';
import { startVolumePlugin, type VolumePlugin, type VolumePluginOptions } from '#support/plugins/volume-plugin.js';
import { PROJECT } from '#support/project.js';
import { tempDir } from '#support/roots.js';
import { run } from '#support/run.js';

const VOLUMES = 'VolumeDriver';

/** One that looks where the plugin is, and does not retry unless told to. */
async function openFor(t: TestContext, dirs: string | readonly string[], options: LegacyPluginsOptions = {}) {
  const socketDirs = typeof dirs === 'string' ? [dirs] : dirs;
  const plugins = await LegacyPlugins.open({ socketDirs, specDirs: [], retryMs: 0, recheckMs: 60_000, ...options });
  t.after(() => plugins.close());
  return plugins;
}

async function lab(t: TestContext, options: Partial<VolumePluginOptions> = {}, open: LegacyPluginsOptions = {}) {
  const dir = tempDir(t, 'legacy');
  const plugin = await startVolumePlugin(t, { dir, ...options });
  const plugins = await openFor(t, plugin.socketDir, open);
  return { dir, plugin, plugins };
}

async function found(plugins: LegacyPlugins, name = 'testvol', capability = VOLUMES): Promise<PluginClient> {
  const endpoint = await plugins.find(name, capability);
  assert.ok(endpoint, `${name} was not found`);
  return endpoint;
}

async function rejects(promise: Promise<unknown>, reason: string): Promise<EngineError> {
  try {
    await promise;
  } catch (error) {
    assert.ok(EngineError.is(error), String(error));
    assert.equal(error.reason, reason, error.message);
    return error;
  }
  assert.fail(`it did not fail with ${reason}`);
}

const methodsOf = async (plugin: VolumePlugin) => (await plugin.calls()).map((call) => call.method);

describe('LegacyPlugins', () => {
  it('is what volumes look plugins up with', async (t) => {
    const lookup: PluginLookup = await openFor(t, tempDir(t));
    assert.equal(await lookup.find('x', VOLUMES), undefined);
  });

  it('contacts nothing when it opens, and activates once', async (t) => {
    const { plugin, plugins } = await lab(t);
    assert.deepEqual(await methodsOf(plugin), []);
    const endpoints = await Promise.all(Array.from({ length: 8 }, () => found(plugins)));
    assert.equal(new Set(endpoints.map((endpoint) => endpoint.generation)).size, 1);
    assert.deepEqual(await methodsOf(plugin), ['Plugin.Activate']);
    assert.deepEqual(endpoints[0]?.capabilities, [VOLUMES]);
    assert.equal(endpoints[0]?.hostPath('/a'), '/a');
  });

  it('knows names with and without tag, and says for sure when there is none', async (t) => {
    const { plugin, plugins } = await lab(t);
    assert.equal((await found(plugins, 'testvol:latest')).name, 'testvol');
    for (const name of ['unknown', 'testvol:v2', 'org/testvol', '../plugins/testvol', '..', 'a\0b']) {
      assert.equal(await plugins.find(name, VOLUMES), undefined, name);
    }
    assert.equal(await plugins.find('testvol', 'NetworkDriver'), undefined);
    assert.equal(await plugins.find('testvol', 'volumedriver'), undefined, 'capabilities have case');
    assert.deepEqual(await methodsOf(plugin), ['Plugin.Activate']);
  });

  it('calls as Docker does', async (t) => {
    const { plugin, plugins } = await lab(t);
    const endpoint = await found(plugins);
    await endpoint.call('VolumeDriver.Capabilities', {});
    await endpoint.call('VolumeDriver.Get', { Name: 'vol' });
    await endpoint.call('VolumeDriver.Create', { Name: 'vol', Opts: { size: '1' } });
    const recording = readDockerRecording();
    const ours = await plugin.calls();
    assert.deepEqual(
      ours.map((call) => ({ path: `/${call.method}`, body: call.body })),
      dockerStep('docker volume create -d testvol --opt').calls,
    );
    for (const call of ours) {
      assert.equal(call.httpMethod, recording.httpMethod);
      assert.equal(call.headers['accept'], recording.headersOfTheLastCall['accept']);
      assert.equal(call.headers['content-type'], undefined);
      assert.equal(call.headers['host'], 'plugin.moby.localhost');
      assert.equal(call.headers['content-length'], String(Buffer.byteLength(call.body)));
      assert.equal(call.headers['connection'], 'close');
    }
  });

  it('carries any keys and characters', async (t) => {
    const { plugin, plugins } = await lab(t);
    const endpoint = await found(plugins);
    const options = JSON.parse('{"__proto__": "a", "ключ\\u0000": "</script>\\ud83d\\ude00"}') as object;
    await endpoint.call('VolumeDriver.Create', { Name: 'v', Opts: options });
    const body = JSON.parse((await plugin.calls()).at(-1)?.body ?? '') as { Opts: object };
    assert.deepEqual(Object.entries(body.Opts), Object.entries(options));
  });

  it('lists those that offer it, by name, and names those that could not be asked', async (t) => {
    const { dir, plugin, plugins } = await lab(t);
    const other = await startVolumePlugin(t, { dir, name: 'another' });
    await startVolumePlugin(t, { dir, name: 'network', implements: ['NetworkDriver'] });
    const dead = await startVolumePlugin(t, { dir, name: 'dead' });
    await dead.kill();
    writeFileSync(join(plugin.socketDir, 'file.sock'), '');
    const list = await plugins.list(VOLUMES);
    assert.deepEqual(
      list.plugins.map((endpoint) => endpoint.name),
      ['another', 'testvol'],
    );
    assert.deepEqual(
      list.problems.map((problem) => [problem.name, (problem.error as EngineError).reason]),
      [['dead', 'PLUGIN_UNREACHABLE']],
    );
    assert.deepEqual(await methodsOf(other), ['Plugin.Activate']);
    const networks = await plugins.list('NetworkDriver');
    assert.deepEqual(
      networks.plugins.map((endpoint) => endpoint.name),
      ['network'],
    );
  });

  it('refuses a socket in a directory that others may write', async (t) => {
    const { plugin, plugins } = await lab(t);
    chmodSync(plugin.socketDir, 0o777);
    await rejects(plugins.find('testvol', VOLUMES), 'PLUGIN_UNTRUSTED');
    const [problem] = (await plugins.list(VOLUMES)).problems;
    assert.ok(EngineError.is(problem?.error, 'PERMISSION_DENIED', 'PLUGIN_UNTRUSTED'));
    assert.deepEqual(await methodsOf(plugin), []);
  });

  it('connects to sockets with longer paths than the kernel takes', async (t) => {
    const dir = tempDir(t, 'legacy');
    const plugin = await startVolumePlugin(t, { dir });
    const deep = join(dir, 'd'.repeat(100), 'e'.repeat(100));
    mkdirSync(deep, { recursive: true });
    const { renameSync } = await import('node:fs');
    renameSync(plugin.socket, join(deep, 'testvol.sock'));
    const plugins = await openFor(t, deep);
    assert.deepEqual(await (await found(plugins)).call('VolumeDriver.List', {}), { Volumes: [] });
  });
});

describe('answers', () => {
  const call = async (t: TestContext, behave: (plugin: VolumePlugin) => Promise<void>, timeoutMs = 5_000) => {
    const { plugin, plugins } = await lab(t);
    const endpoint = await found(plugins);
    await endpoint.call('VolumeDriver.Create', { Name: 'v', Opts: null });
    await behave(plugin);
    return { plugin, promise: endpoint.call('VolumeDriver.Mount', { Name: 'v', ID: '1' }, { timeoutMs }) };
  };
  const mount = 'VolumeDriver.Mount';

  it('are given as they are, Err and all', async (t) => {
    const { promise } = await call(t, (plugin) => plugin.behave(mount, { kind: 'answer', value: { Err: 'x', N: 1 } }));
    assert.deepEqual(await promise, { Err: 'x', N: 1 });
  });

  it('count whatever their type says', async (t) => {
    const { plugin, promise } = await call(t, (plugin) =>
      plugin.behave(mount, { kind: 'content-type', type: 'image/png' }),
    );
    assert.deepEqual(await promise, { Mountpoint: plugin.pathOf('v') });
  });

  for (const [status, body, answer] of [
    [500, '{"Err": "no space"}', 'no space'],
    [500, '{"Err": ""}', '{"Err": ""}'],
    [404, '404 page not found\n', '404 page not found'],
    [201, '{"Mountpoint": "/x"}', '{"Mountpoint": "/x"}'],
    [204, '', ''],
    [500, 'x'.repeat(100_000), 'x'.repeat(2000)],
  ] as const) {
    it(`with status ${status} ${JSON.stringify(body).slice(0, 30)} are failures with their text`, async (t) => {
      const { promise } = await call(t, (plugin) => plugin.behave(mount, { kind: 'status', status, body }));
      const error = await rejects(promise, 'PLUGIN_CALL_FAILED');
      assert.deepEqual(error.details, { plugin: 'testvol', method: mount, status, answer });
    });
  }

  it('that redirect are failures: nobody else is asked', async (t) => {
    const other = await startVolumePlugin(t, { dir: tempDir(t), listen: { port: 0 } });
    const location = `http://127.0.0.1:${other.port}/VolumeDriver.Mount`;
    const { promise } = await call(t, (plugin) => plugin.behave(mount, { kind: 'redirect', location }));
    assert.equal((await rejects(promise, 'PLUGIN_CALL_FAILED')).details['status'], 302);
    assert.deepEqual(await methodsOf(other), []);
  });

  it('that are no JSON are bad, with their bytes escaped', async (t) => {
    const { promise } = await call(t, (plugin) => plugin.behave(mount, { kind: 'garbage' }));
    const error = await rejects(promise, 'PLUGIN_BAD_ANSWER');
    assert.ok(!error.message.includes('\u0001'), error.message);
  });

  it('that are too long, or never end, are bad', async (t) => {
    const { plugin, plugins } = await lab(t);
    const endpoint = await found(plugins);
    await plugin.behave('VolumeDriver.List', { kind: 'huge', bytes: 3_000_000 });
    assert.ok(await endpoint.call('VolumeDriver.List', {}));
    await rejects(endpoint.call('VolumeDriver.List', {}, { maxAnswerBytes: 1_000_000 }), 'PLUGIN_BAD_ANSWER');
    await plugin.behave('VolumeDriver.List', { kind: 'endless' });
    await rejects(endpoint.call('VolumeDriver.List', {}, { maxAnswerBytes: 200_000 }), 'PLUGIN_BAD_ANSWER');
  });

  it('that do not come, or stop in the middle, end with the time limit of the call', async (t) => {
    for (const kind of ['hung', 'stalled'] as const) {
      const startedAt = performance.now();
      const { promise } = await call(t, (plugin) => plugin.behave(mount, { kind }), 200);
      const error = await rejects(promise, 'PLUGIN_TIMEOUT');
      assert.match(error.message, /testvol did not answer VolumeDriver.Mount within 200 ms/);
      assert.ok(performance.now() - startedAt < 3_000);
    }
  });

  for (const [what, behaviour] of [
    ['break off', { kind: 'truncated' }],
    ['are a reset', { kind: 'reset' }],
    ['die with the plugin before it did it', { kind: 'dies', when: 'before' }],
    ['die with the plugin after it did it', { kind: 'dies', when: 'after' }],
  ] as const) {
    it(`that ${what} are not asked for again: the plugin may have done it`, async (t) => {
      const { plugin, plugins } = await lab(t, {}, { retryMs: 5_000, retryDelaysMs: [20] });
      const endpoint = await found(plugins);
      await endpoint.call('VolumeDriver.Create', { Name: 'v', Opts: null });
      await plugin.behave(mount, behaviour);
      const error = await rejects(endpoint.call(mount, { Name: 'v', ID: '1' }), 'PLUGIN_UNREACHABLE');
      assert.equal(error.details['sent'], true);
      if (behaviour.kind === 'dies') return;
      assert.equal((await methodsOf(plugin)).filter((method) => method === mount).length, 1);
    });
  }
});

describe('the handshake', () => {
  for (const [what, value] of [
    ['a list', ['VolumeDriver']],
    ['no list of types', { Implements: 'VolumeDriver' }],
    ['types that are no text', { Implements: [1] }],
    ['null', null],
    ['too many types', { Implements: Array.from({ length: 65 }, () => 'x') }],
  ] as const) {
    it(`is refused when it gives ${what}`, async (t) => {
      const { plugin, plugins } = await lab(t);
      await plugin.behave('Plugin.Activate', { kind: 'answer', value });
      await rejects(plugins.find('testvol', VOLUMES), 'PLUGIN_BAD_ANSWER');
      await plugin.behave('Plugin.Activate', { kind: 'normal' });
      await found(plugins);
    });
  }

  it('may name nothing', async (t) => {
    const { plugin, plugins } = await lab(t);
    await plugin.behave('Plugin.Activate', { kind: 'answer', value: { Implements: null } });
    assert.equal(await plugins.find('testvol', VOLUMES), undefined);
  });

  it('that hangs delays nobody who wants another plugin, and is shared by those who want this one', async (t) => {
    const { dir, plugin, plugins } = await lab(t, {}, { activationTimeoutMs: 1_000 });
    await startVolumePlugin(t, { dir, name: 'quick' });
    await plugin.behave('Plugin.Activate', { kind: 'hung' });
    const startedAt = performance.now();
    const hung = [1, 2, 3].map(() => rejects(plugins.find('testvol', VOLUMES), 'PLUGIN_TIMEOUT'));
    await found(plugins, 'quick');
    assert.ok(performance.now() - startedAt < 800);
    await Promise.all(hung);
    assert.deepEqual(await methodsOf(plugin), ['Plugin.Activate']);
    assert.equal((await plugins.list(VOLUMES)).plugins.length, 1);
  });

  it('ends when all who wait for it gave up, and not before', async (t) => {
    const { plugin, plugins } = await lab(t);
    await plugin.behave('Plugin.Activate', { kind: 'slow', ms: 400 }, 1);
    const impatient = plugins.find('testvol', VOLUMES, { signal: deadline(50) });
    const patient = plugins.find('testvol', VOLUMES);
    await rejects(impatient, 'TIMED_OUT');
    assert.ok(await patient);

    await plugin.restart();
    await plugin.behave('Plugin.Activate', { kind: 'hung' }, 1);
    const controller = new AbortController();
    const canceled = plugins.find('testvol', VOLUMES, { signal: controller.signal });
    setTimeout(() => controller.abort(), 50);
    await rejects(canceled, 'CANCELED');
    // The next one does not wait for the one that hangs.
    await found(plugins);
  });
});

describe('a restart', () => {
  it('with another manifest is noticed: what it offers now counts', async (t) => {
    const { plugin, plugins } = await lab(t);
    const before = await found(plugins);
    await plugin.restart({ implements: ['NetworkDriver'] });
    assert.equal(await plugins.find('testvol', VOLUMES), undefined);
    const error = await rejects(before.call('VolumeDriver.List', {}), 'PLUGIN_LACKS_CAPABILITY');
    assert.deepEqual(error.details['implements'], ['NetworkDriver']);
    assert.notEqual((await found(plugins, 'testvol', 'NetworkDriver')).generation, before.generation);
    assert.deepEqual(await methodsOf(plugin), ['Plugin.Activate']);
    await plugin.restart({ implements: [VOLUMES] });
    assert.deepEqual(await before.call('VolumeDriver.List', {}), { Volumes: [] }, 'an endpoint of before goes on');
    assert.deepEqual(await methodsOf(plugin), ['Plugin.Activate', 'VolumeDriver.List']);
  });

  it('with the same manifest is another generation', async (t) => {
    const { plugin, plugins } = await lab(t);
    const before = await found(plugins);
    assert.equal((await found(plugins)).generation, before.generation);
    await plugin.restart();
    assert.notEqual((await found(plugins)).generation, before.generation);
  });

  it('behind a TCP port is noticed when a connection failed, by a 404 and after a while', async (t) => {
    const dir = tempDir(t, 'legacy');
    const plugin = await startVolumePlugin(t, { dir, listen: { port: 0 } });
    const specs = join(dir, 'specs');
    mkdirSync(specs);
    writeFileSync(join(specs, 'remote.spec'), `tcp://127.0.0.1:${plugin.port}\n`);
    const plugins = await openFor(t, [], { specDirs: [specs] });
    const first = await found(plugins, 'remote');
    await first.call('VolumeDriver.List', {});
    assert.equal((await plugin.calls()).at(-1)?.headers['host'], `127.0.0.1:${plugin.port}`);

    await plugin.kill();
    await rejects(first.call('VolumeDriver.List', {}), 'PLUGIN_UNREACHABLE');
    await plugin.start();
    const second = await found(plugins, 'remote');
    assert.notEqual(second.generation, first.generation);

    await plugin.restart({ implements: ['NetworkDriver'] });
    await plugin.behave('VolumeDriver.List', { kind: 'missing' });
    assert.equal((await rejects(second.call('VolumeDriver.List', {}), 'PLUGIN_CALL_FAILED')).details['status'], 404);
    assert.equal(await plugins.find('remote', VOLUMES), undefined);

    const soon = await openFor(t, [], { specDirs: [specs], recheckMs: 50 });
    assert.equal(await soon.find('remote', VOLUMES), undefined);
    await plugin.implement([VOLUMES]);
    await new Promise((resolve) => setTimeout(resolve, 60));
    const third = await found(soon, 'remote');
    // Asked again, it says the same and is the same; busy, it stands as it was.
    await new Promise((resolve) => setTimeout(resolve, 60));
    assert.equal((await found(soon, 'remote')).generation, third.generation);
    await plugin.behave('Plugin.Activate', { kind: 'hung' });
    await new Promise((resolve) => setTimeout(resolve, 60));
    assert.equal((await found(soon, 'remote')).generation, third.generation);
  });
});

describe('retries', () => {
  it('wait for a plugin that is not up yet, and send the whole body then', async (t) => {
    const { plugin, plugins } = await lab(t);
    const endpoint = await found(plugins);
    await plugin.kill();
    const create = endpoint.call('VolumeDriver.Create', { Name: 'late', Opts: null }, { retryMs: 5_000 });
    setTimeout(() => void plugin.start(), 300);
    assert.deepEqual(await create, {});
    const calls = await plugin.calls();
    assert.deepEqual(
      calls.map((call) => call.body),
      ['', '{"Name":"late","Opts":null}\n'],
    );
  });

  it('are made for lookups too, and end with the signal', async (t) => {
    const { plugin, plugins } = await lab(t, {}, { retryDelaysMs: [50] });
    await plugin.kill();
    await rejects(plugins.find('testvol', VOLUMES), 'PLUGIN_UNREACHABLE');
    const lookup = plugins.find('testvol', VOLUMES, { retryMs: 5_000 });
    setTimeout(() => void plugin.start(), 200);
    assert.ok(await lookup);
    await plugin.kill();
    const others = await openFor(t, plugin.socketDir, { retryMs: 60_000 });
    await rejects(others.find('testvol', VOLUMES, { signal: deadline(150) }), 'TIMED_OUT');
  });

  it('stay in the time limit of the call', async (t) => {
    const { plugin, plugins } = await lab(t, {}, { retryDelaysMs: [50] });
    const endpoint = await found(plugins);
    await plugin.kill();
    await rejects(endpoint.call('VolumeDriver.List', {}, { retryMs: 60_000, timeoutMs: 200 }), 'PLUGIN_TIMEOUT');
  });
});

describe('close', () => {
  it('ends what is in flight, takes no calls and leaves no handle', async (t) => {
    const { plugin, plugins } = await lab(t);
    const endpoint = await found(plugins);
    await plugin.behave('*', { kind: 'hung' });
    const sockets = () =>
      process.getActiveResourcesInfo().filter((name) => /TCP|^Pipe(Connect)?Wrap$/.test(name)).length;
    const before = sockets();
    const call = rejects(endpoint.call('VolumeDriver.List', {}), 'CLOSED');
    const retry = rejects(plugins.find('testvol', VOLUMES), 'CLOSED').catch(() => {});
    while (sockets() === before) await new Promise((resolve) => setTimeout(resolve, 5));
    await plugins.close();
    await Promise.all([call, retry]);
    assert.equal(sockets(), before);
    await rejects(endpoint.call('VolumeDriver.List', {}), 'CLOSED');
    await rejects(plugins.find('testvol', VOLUMES), 'CLOSED');
    await rejects(plugins.list(VOLUMES), 'CLOSED');
    await plugins.close();
  });

  it('is not needed for a connection to be gone after a call', async (t) => {
    const { plugins } = await lab(t);
    const endpoint = await found(plugins);
    const before = process.getActiveResourcesInfo().length;
    for (let n = 0; n < 5; n++) await endpoint.call('VolumeDriver.List', {});
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.ok(process.getActiveResourcesInfo().length <= before);
  });
});

describe('the process of the host', () => {
  const program = (lines: string) => {
    const source = `import { LegacyPlugins } from '#src/plugins/index.js';\n${lines}`;
    return run(process.execPath, ['--input-type=module', '-e', source], { cwd: PROJECT, timeoutMs: 10_000 });
  };

  it('ends by itself after calls, without close', async (t) => {
    const { plugin } = await lab(t);
    const startedAt = performance.now();
    const { stdout, code } = await program(`
      const plugins = await LegacyPlugins.open({ socketDirs: ['${plugin.socketDir}'], specDirs: [] });
      const client = await plugins.find('testvol', 'VolumeDriver');
      console.log(JSON.stringify(await client.call('VolumeDriver.List', {})));
    `);
    assert.deepEqual([stdout.trim(), code], ['{"Volumes":[]}', 0]);
    assert.ok(performance.now() - startedAt < 5_000);
  });

  it('does not end while it waits for the next try', async (t) => {
    const { plugin } = await lab(t);
    await plugin.kill();
    const { stdout, code } = await program(`
      const plugins = await LegacyPlugins.open({ socketDirs: ['${plugin.socketDir}'], retryMs: 300, retryDelaysMs: [200] });
      await plugins.find('testvol', 'VolumeDriver').catch((error) => console.log(error.reason));
    `);
    assert.deepEqual([stdout.trim(), code], ['PLUGIN_UNREACHABLE', 0]);
  });
});

describe('bad options', () => {
  it('are refused with their name', async (t) => {
    for (const [options, field] of [
      [{ socketDirs: ['relative'] }, 'socketDirs'],
      [{ specDirs: '/x' }, 'specDirs'],
      [{ retryMs: -1 }, 'retryMs'],
      [{ callTimeoutMs: 0 }, 'callTimeoutMs'],
      [{ maxAnswerBytes: 1.5 }, 'maxAnswerBytes'],
      [{ tlsVerification: 'never' }, 'tlsVerification'],
      [{ trustedUids: ['root'] }, 'trustedUids'],
    ] as const) {
      const error = await rejects(LegacyPlugins.open(options as never), 'BAD_OPTION');
      assert.equal(error.details['field'], field);
    }
    await rejects(LegacyPlugins.open({ socketDir: [] } as never), 'UNKNOWN_OPTION');
    const { plugins } = await lab(t);
    const endpoint = await found(plugins);
    await rejects(endpoint.call('../x', {}), 'BAD_OPTION');
    await rejects(endpoint.call('VolumeDriver.List', {}, { timeoutMs: Number.NaN }), 'BAD_OPTION');
    await rejects(plugins.find(undefined as never, VOLUMES), 'BAD_OPTION');
    await rejects(plugins.list(VOLUMES, { retryMs: 1 } as never), 'UNKNOWN_OPTION');
  });
});

describe('a plugin in another language', () => {
  it('does what Docker asks of one', async (t) => {
    const plugin = await startPerlVolumePlugin(t, tempDir(t, 'legacy'));
    if (plugin === undefined) return;
    const plugins = await openFor(t, plugin.socketDir);
    const endpoint = await found(plugins, plugin.name);
    const call = (method: string, body: object) => endpoint.call(`VolumeDriver.${method}`, body);
    assert.deepEqual(await call('Capabilities', {}), { Capabilities: { Scope: 'global' } });
    assert.deepEqual(await call('Create', { Name: 'v', Opts: { 'a"b': 'ä\n' } }), { Err: '' });
    assert.deepEqual(readdirSync(plugin.pathOf('')), ['v']);
    assert.deepEqual(await call('Mount', { Name: 'v', ID: 'one' }), { Mountpoint: plugin.pathOf('v'), Err: '' });
    assert.deepEqual(await call('Path', { Name: 'v' }), { Mountpoint: plugin.pathOf('v'), Err: '' });
    const { Volume } = (await call('Get', { Name: 'v' })) as { Volume: { Status: unknown } };
    assert.deepEqual(Volume.Status, { options: { 'a"b': 'ä\n' } });
    const { Volumes } = (await call('List', {})) as { Volumes: { Name: string }[] };
    assert.deepEqual(
      Volumes.map((volume) => volume.Name),
      ['v'],
    );
    assert.deepEqual(await call('Remove', { Name: 'v' }), { Err: 'volume v is in use' });
    assert.deepEqual(await call('Unmount', { Name: 'v', ID: 'one' }), { Err: '' });
    assert.deepEqual(await call('Remove', { Name: 'v' }), { Err: '' });
    assert.deepEqual(readdirSync(plugin.pathOf('')), []);
    assert.equal(
      (await rejects(endpoint.call('VolumeDriver.Unknown', {}), 'PLUGIN_CALL_FAILED')).details['status'],
      404,
    );
  });
});

describe('what is no HTTP server', () => {
  it('is waited for no longer than a connection may take', async (t) => {
    const server = createServer((socket) => void socket.on('error', () => {}));
    t.after(() => server.close());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const specs = tempDir(t, 'legacy');
    // It takes the connection and never says a word of TLS.
    writeFileSync(join(specs, 'silent.spec'), `https://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const plugins = await openFor(t, [], { specDirs: [specs], connectTimeoutMs: 100 });
    const error = await rejects(plugins.find('silent', VOLUMES), 'PLUGIN_UNREACHABLE');
    assert.deepEqual([error.details['errno'], error.details['sent']], ['ETIMEDOUT', false]);
  });

  it('is a bad answer', async (t) => {
    const dir = tempDir(t, 'legacy');
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.end('hello\r\n\r\n');
    });
    await new Promise<void>((resolve) => server.listen(join(dir, 'odd.sock'), resolve));
    t.after(() => server.close());
    const plugins = await openFor(t, dir);
    await rejects(plugins.find('odd', VOLUMES), 'PLUGIN_BAD_ANSWER');
  });
});
