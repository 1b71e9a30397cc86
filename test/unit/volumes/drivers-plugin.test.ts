import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { EngineError } from '#src/errors/index.js';
import { guardDriver } from '#src/volumes/drivers/index.js';
import { PluginVolumeDriver } from '#src/volumes/drivers/plugin-volume-driver.js';
import type { PluginEndpoint } from '#src/volumes/plugin-lookup.js';
import { dockerStep } from '#support/plugins/docker-calls.js';
import { rejectsReason } from '#support/rejects-reason.js';
import { tempDir } from '#support/roots.js';

const dir = tempDir({ after }, 'plugin');
const ID1 = '1'.repeat(64);

type Answers = Record<string, unknown>;

/** A plugin whose answers are given; records what was posted. */
function plugin(answers: Answers, hostPath = (path: string) => path) {
  const posts: { path: string; body: string }[] = [];
  const endpoint: PluginEndpoint = {
    name: 'testvol',
    generation: '1',
    hostPath,
    call: async (method, body, options) => {
      assert.ok(options?.signal instanceof AbortSignal);
      posts.push({ path: `/${method}`, body: body === undefined ? '' : `${JSON.stringify(body)}\n` });
      const answer = answers[method.replace('VolumeDriver.', '')] ?? {};
      if (answer instanceof Error) throw answer;
      return answer;
    },
  };
  return { posts, driver: guardDriver(new PluginVolumeDriver(endpoint), { source: 'plugin' }) };
}

const refused = (answer: string, status = 500) =>
  new EngineError('INTERNAL', 'PLUGIN_CALL_FAILED', `the plugin said ${answer}`, { details: { status, answer } });

describe('a plugin as a volume driver', () => {
  it('is asked as Docker asks it', async () => {
    const { posts, driver } = plugin({ Mount: { Mountpoint: dir }, Get: {} });
    const sent = async (work: () => Promise<unknown>) => {
      posts.length = 0;
      await work();
      return posts;
    };
    const recorded = (does: string, path: string) => {
      const call = dockerStep(does).calls.find((call) => call.path === path);
      assert.ok(call, `${does} has no ${path}`);
      return [{ ...call, body: call.body.replace(/"id\d+"/, `"${ID1}"`) }];
    };
    const create = 'docker volume create -d testvol';
    assert.deepEqual(await sent(() => driver.scope()), recorded(`${create} --opt`, '/VolumeDriver.Capabilities'));
    assert.deepEqual(await sent(() => driver.get('vol')), recorded(`${create} --opt`, '/VolumeDriver.Get'));
    assert.deepEqual(
      await sent(() => driver.create({ name: 'vol', options: { size: '1' } })),
      recorded(`${create} --opt`, '/VolumeDriver.Create'),
    );
    assert.deepEqual(
      await sent(() => driver.create({ name: 'other', options: {} })),
      recorded(`${create} other`, '/VolumeDriver.Create'),
    );
    assert.deepEqual(await sent(() => driver.list()), recorded('docker volume ls', '/VolumeDriver.List'));
    assert.deepEqual(
      await sent(() => driver.mount({ name: 'vol', id: ID1 })),
      recorded('docker start one', '/VolumeDriver.Mount'),
    );
    assert.deepEqual(
      await sent(() => driver.unmount({ name: 'vol', id: ID1 })),
      recorded('docker stop -t 0 one', '/VolumeDriver.Unmount'),
    );
    assert.deepEqual(
      await sent(() => driver.remove('other')),
      recorded('docker volume rm other', '/VolumeDriver.Remove'),
    );
    assert.deepEqual(await sent(() => driver.path('vol')), [{ path: '/VolumeDriver.Path', body: '{"Name":"vol"}\n' }]);
  });

  it('gets options in order, whatever their keys', async () => {
    const { posts, driver } = plugin({});
    await driver.create({ name: 'v', options: JSON.parse('{"b":"2","__proto__":"p","a":"1"}') });
    assert.equal(posts[0]?.body, '{"Name":"v","Opts":{"__proto__":"p","a":"1","b":"2"}}\n');
  });

  it('mounts with ids of 64 hex digits, always the same for a holder', async () => {
    const { posts, driver } = plugin({ Mount: { Mountpoint: dir } });
    for (const id of ['box', 'box', 'other']) await driver.mount({ name: 'v', id });
    await driver.unmount({ name: 'v', id: 'other' });
    const ids = posts.map((post) => JSON.parse(post.body).ID as string);
    for (const id of ids) assert.match(id, /^[0-9a-f]{64}$/);
    assert.equal(ids[0], ids[1]);
    assert.equal(ids[2], ids[3]);
    assert.notEqual(ids[0], ids[2]);
  });

  it('does not have a volume only when that is sure', async () => {
    const missing: unknown[] = [
      {},
      { Err: '' },
      { Volume: null },
      { Err: 'no such volume: v' },
      { err: 'volume v not found' },
      refused('volume not found'),
    ];
    for (const Get of missing) assert.equal(await plugin({ Get }).driver.get('v'), undefined);
    const unknown: [unknown, string][] = [
      [{ Err: 'boom' }, 'DRIVER_FAILED'],
      [{ ERR: 'boom' }, 'DRIVER_FAILED'],
      [{ Err: 'boom', Volume: { Name: 'v' } }, 'DRIVER_FAILED'],
      [{ Err: 5 }, 'DRIVER_BAD_ANSWER'],
      [[], 'DRIVER_BAD_ANSWER'],
      ['', 'DRIVER_BAD_ANSWER'],
      [{ Volume: 'v' }, 'DRIVER_BAD_ANSWER'],
      [{ Volume: { Name: 'w' } }, 'DRIVER_BAD_ANSWER'],
      [refused('internal server error'), 'DRIVER_FAILED'],
      [refused(''), 'DRIVER_FAILED'],
      [refused('404 page not found', 404), 'DRIVER_FAILED'],
      [new EngineError('UNAVAILABLE', 'PLUGIN_UNREACHABLE', 'volume v not found'), 'DRIVER_UNREACHABLE'],
      [new EngineError('DEADLINE_EXCEEDED', 'PLUGIN_TIMEOUT', 'x'), 'DRIVER_TIMEOUT'],
      [new EngineError('INTERNAL', 'PLUGIN_BAD_ANSWER', 'x'), 'DRIVER_BAD_ANSWER'],
    ];
    for (const [Get, reason] of unknown) {
      const error = await rejectsReason(plugin({ Get }).driver.get('v'), reason);
      assert.deepEqual(
        [error.details['driver'], error.details['method'], error.details['volume']],
        ['testvol', 'get', 'v'],
      );
    }
  });

  it('tells its volumes in any letter case, with what is of use', async () => {
    const Volume = {
      name: 'v',
      MOUNTPOINT: '/a/b/',
      CreatedAt: '2024-05-06T07:08:09.123456789+02:00',
      Status: { a: 1 },
    };
    assert.deepEqual(await plugin({ Get: { volume: Volume } }).driver.get('v'), {
      name: 'v',
      mountpoint: '/a/b',
      createdAt: new Date('2024-05-06T05:08:09.123Z'),
      status: { a: 1 },
    });
    const zero = { Volume: { CreatedAt: '0001-01-01T00:00:00Z', Mountpoint: '' } };
    assert.deepEqual(await plugin({ Get: zero }).driver.get('v'), { name: 'v' });
    const Volumes = [
      { Name: 'a' },
      { Name: 5 },
      null,
      'x',
      { Name: '../y' },
      { Name: 'b', Mountpoint: 7 },
      { name: 'c' },
    ];
    const warnings: string[] = [];
    const list = await plugin({ List: { Volumes } }).driver.list({ onWarning: (w) => warnings.push(w.message) });
    assert.deepEqual(list, [{ name: 'a' }, { name: 'c' }]);
    assert.equal(warnings.length, 5);
    for (const List of [{}, { Volumes: null }]) assert.deepEqual(await plugin({ List }).driver.list(), []);
    await rejectsReason(plugin({ List: { Volumes: {} } }).driver.list(), 'DRIVER_BAD_ANSWER');
  });

  it('is local unless it says otherwise, and asked again when it could not be reached', async () => {
    for (const [answer, scope] of [
      [{ Capabilities: { Scope: 'global' } }, 'global'],
      [{ Capabilities: { Scope: 'Global' } }, 'global'],
      [{ Capabilities: { Scope: 'galaxy' } }, 'local'],
      [{ Capabilities: {} }, 'local'],
      [{ Capabilities: 'x' }, 'local'],
      [{ Err: 'no' }, 'local'],
      [{}, 'local'],
      [refused('404 page not found', 404), 'local'],
    ] as const) {
      assert.equal(await plugin({ Capabilities: answer }).driver.scope(), scope);
    }
    const answers: Answers = { Capabilities: new EngineError('UNAVAILABLE', 'PLUGIN_UNREACHABLE', 'x') };
    const { driver, posts } = plugin(answers);
    await rejectsReason(driver.scope(), 'DRIVER_UNREACHABLE');
    answers['Capabilities'] = { Capabilities: { Scope: 'global' } };
    assert.equal(await driver.scope(), 'global');
    assert.equal(await driver.scope(), 'global');
    assert.equal(posts.length, 2);
  });

  it('has created, removed or unmounted what was so already', async () => {
    const exists = { Create: { Err: 'volume v already exists' }, Get: { Volume: { Name: 'v' } } };
    await plugin(exists).driver.create({ name: 'v', options: {} });
    await rejectsReason(plugin({ ...exists, Get: {} }).driver.create({ name: 'v', options: {} }), 'DRIVER_FAILED');
    await rejectsReason(
      plugin({ ...exists, Create: { Err: 'no space' } }).driver.create({ name: 'v', options: {} }),
      'DRIVER_FAILED',
    );
    await plugin({ Remove: { Err: 'no such volume' } }).driver.remove('v');
    await plugin({ Remove: refused('volume not found') }).driver.remove('v');
    await rejectsReason(plugin({ Remove: { Err: 'volume is in use' } }).driver.remove('v'), 'DRIVER_FAILED');
    for (const words of ['volume v is not mounted as x', 'no such volume']) {
      await plugin({ Unmount: { Err: words } }).driver.unmount({ name: 'v', id: ID1 });
    }
    await rejectsReason(
      plugin({ Unmount: { Err: 'device is busy' } }).driver.unmount({ name: 'v', id: ID1 }),
      'DRIVER_FAILED',
    );
  });

  it('is told to unmount as often as it was to mount: it may count', async () => {
    const answers: Answers = { Mount: { Mountpoint: dir } };
    const { driver, posts } = plugin(answers);
    const unmounts = () => posts.filter((post) => post.path.endsWith('Unmount')).length;
    for (let i = 0; i < 3; i++) await driver.mount({ name: 'v', id: ID1 });
    await driver.mount({ name: 'w', id: ID1 });
    await driver.unmount({ name: 'v', id: ID1 });
    assert.equal(unmounts(), 3);
    await driver.unmount({ name: 'v', id: ID1 });
    await driver.unmount({ name: 'w', id: ID1 });
    assert.equal(unmounts(), 5);
  });

  it('may refuse to mount again what the same holder has, not what another has', async () => {
    const answers: Answers = { Mount: { Mountpoint: dir }, Path: { Mountpoint: dir } };
    const { driver, posts } = plugin(answers);
    await driver.mount({ name: 'v', id: ID1 });
    for (const words of ['volume is already mounted by this id', `already mounted as ${ID1}`]) {
      answers['Mount'] = refused(words);
      assert.deepEqual(await driver.mount({ name: 'v', id: ID1 }), { mountpoint: dir });
    }
    await driver.unmount({ name: 'v', id: ID1 });
    assert.equal(posts.filter((post) => post.path.endsWith('Unmount')).length, 1);
    for (const words of [
      'volume is already mounted',
      'already mounted by another host',
      `already mounted as ${'2'.repeat(64)}`,
    ]) {
      answers['Mount'] = refused(words);
      await rejectsReason(driver.mount({ name: 'v', id: ID1 }), 'DRIVER_FAILED');
    }
  });

  it('is asked for the path where it does not tell the mountpoint', async () => {
    const { driver, posts } = plugin({ Mount: {}, Path: { Mountpoint: dir } });
    assert.deepEqual(await driver.mount({ name: 'v', id: ID1 }), { mountpoint: dir });
    assert.deepEqual(
      posts.map((post) => post.path),
      ['/VolumeDriver.Mount', '/VolumeDriver.Path'],
    );
    await rejectsReason(plugin({ Mount: {} }).driver.mount({ name: 'v', id: ID1 }), 'DRIVER_BAD_ANSWER');
    await rejectsReason(plugin({ Mount: { Mountpoint: 5 } }).driver.mount({ name: 'v', id: ID1 }), 'DRIVER_BAD_ANSWER');
    assert.equal(await driver.path('v'), dir);
    for (const Path of [{}, { Err: 'x' }, refused('404 page not found', 404), [], { Mountpoint: '../x' }]) {
      assert.equal(await plugin({ Path }).driver.path('v'), undefined);
    }
  });

  it('has its paths translated to those of the host, and none that leave by a link', async () => {
    const rootfs = join(dir, 'rootfs');
    mkdirSync(join(rootfs, 'mnt/v'), { recursive: true });
    symlinkSync('/etc', join(rootfs, 'mnt/out'));
    const hostPath = (path: string) => join(rootfs, path);
    const answers = {
      Mount: { Mountpoint: '/mnt/v' },
      Path: { Mountpoint: '/mnt/v' },
      Get: { Volume: { Name: 'v', Mountpoint: '/mnt/v' } },
      List: { Volumes: [{ Name: 'v', Mountpoint: '/mnt/v' }] },
    };
    const { driver } = plugin(answers, hostPath);
    const mountpoint = join(rootfs, 'mnt/v');
    assert.deepEqual(await driver.mount({ name: 'v', id: ID1 }), { mountpoint });
    assert.equal(await driver.path('v'), mountpoint);
    assert.equal((await driver.get('v'))?.mountpoint, mountpoint);
    assert.equal((await driver.list())[0]?.mountpoint, mountpoint);
    const out = plugin({ Mount: { Mountpoint: '/mnt/out' } }, hostPath).driver;
    await rejectsReason(out.mount({ name: 'v', id: ID1 }), 'DRIVER_BAD_ANSWER');
    const up = plugin({ Mount: { Mountpoint: '/../volumes' } }, hostPath).driver;
    mkdirSync(join(dir, 'volumes'));
    await rejectsReason(up.mount({ name: 'v', id: ID1 }), 'DRIVER_BAD_ANSWER');
  });
});
