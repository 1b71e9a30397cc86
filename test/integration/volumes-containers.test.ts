import assert from 'node:assert/strict';
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Engine, MountOptions, VolumeDriver } from 'caisson';
import { directoryDriver } from '#support/directory-driver.js';
import { type Bed, failsCleanly, IMAGE, rejectsWith, withEngine } from '#support/engine-bed.js';
import { importHostile } from '#support/hostile-image.js';

const DATA = 'test/data';

const tree = (upper: string): void => {
  mkdirSync(join(upper, 'data/sub'), { recursive: true });
  writeFileSync(join(upper, 'data/sub/file'), 'of the image');
  chownSync(join(upper, 'data'), 1000, 1000);
};

const importData = (engine: Engine): Promise<void> =>
  importHostile(engine, DATA, { tree, config: { Volumes: { '/data': {} } } });

const volume = (source: string, more: Partial<MountOptions> = {}): MountOptions =>
  ({ type: 'volume', source, target: '/data', ...more }) as MountOptions;

const sh = (script: string) => ['sh', '-c', script];

const names = async (engine: Engine): Promise<string[]> =>
  (await engine.volumes.list()).volumes.map(({ name }) => name);

const only = async (engine: Engine): Promise<string> => {
  const all = await names(engine);
  assert.equal(all.length, 1, all.join());
  return all[0] as string;
};

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let n = 0; !(await isSo()); n++) {
    assert.ok(n < 250, 'not within 5 s');
    await delay(20);
  }
}

/** A driver of the host with the calls that it got; `before` may fail or delay one. */
function drivers(bed: Bed, name = 'mine') {
  const dir = join(bed.dir, `drv-${name}`);
  mkdirSync(dir);
  const calls: string[] = [];
  const inner = directoryDriver(dir, name);
  const state = { before: undefined as ((method: string) => unknown) | undefined };
  const step = async (method: string, volumeName: string): Promise<void> => {
    calls.push(`${method} ${volumeName}`);
    await state.before?.(method);
  };
  const driver: VolumeDriver = {
    ...inner,
    create: async (request, call) => {
      await step('create', request.name);
      return inner.create(request, call);
    },
    remove: async (volumeName, call) => {
      await step('remove', volumeName);
      return inner.remove(volumeName, call);
    },
    mount: async (request, call) => {
      await step('mount', request.name);
      return inner.mount(request, call);
    },
    unmount: async (request, call) => {
      await step('unmount', request.name);
      return inner.unmount(request, call);
    },
  };
  return { driver, dir, calls, state };
}

describe('volumes with a name', () => {
  it('last longer than throwaway containers, get the image’s content once, and are held while one runs', (t) =>
    withEngine(t, async ({ engine }) => {
      await importData(engine);
      {
        await using box = await engine.containers.ephemeral({
          image: DATA,
          command: ['sleep', '100'],
          mounts: [volume('shop')],
        });
        const { stdout } = await box.exec(
          sh('cat /data/sub/file; stat -c %u /data; rm /data/sub/file; echo mine > /data/own'),
        );
        assert.equal(stdout, 'of the image1000\n');
        assert.deepEqual(
          (await engine.volumes.whoUses('shop')).map(({ id, kind, mounted }) => [id, kind, mounted]),
          [[box.id, 'ephemeral', true]],
        );
        const error = await rejectsWith(engine.volumes.remove('shop', { force: true }), {
          code: 'CONFLICT',
          reason: 'VOLUME_IN_USE',
          names: ['shop'],
        });
        assert.match(JSON.stringify(error.details['holders']), new RegExp(box.id));
        assert.deepEqual((await engine.volumes.prune({ all: true })).removed, []);
      }
      assert.deepEqual(await engine.volumes.whoUses('shop'), []);
      const again = await engine.run(DATA, sh('ls /data /data/sub; cat /data/own'), { binds: ['shop:/data:ro'] });
      assert.equal(again.stdout, '/data:\nown\nsub\n\n/data/sub:\nmine\n');
      const write = await engine.run(DATA, sh('echo x > /data/x'), { binds: ['shop:/data:ro'] });
      assert.match(write.stderr, /Read-only/);
      assert.deepEqual(
        (await engine.volumes.prune({ all: true })).removed.map(({ name }) => name),
        ['shop'],
      );
    }));

  it('are not filled when they have something, with nocopy, or at a second start', (t) =>
    withEngine(t, async ({ engine }) => {
      await importData(engine);
      const ls = async (name: string, more: Partial<MountOptions> = {}): Promise<string> =>
        (await engine.run(DATA, ['ls', '/data'], { mounts: [volume(name, more)] })).stdout;
      await engine.run(IMAGE, sh('touch /data/own'), { mounts: [volume('taken')] });
      assert.equal(await ls('taken'), 'own\n');
      assert.equal(await ls('bare', { noCopy: true }), '');
      assert.equal(await ls('bare'), 'sub\n');
      const container = await engine.containers.create({
        image: DATA,
        command: sh('ls /data | wc -l; rm -rf /data/*'),
        mounts: [volume('durable')],
      });
      const logs = async (): Promise<string> => {
        const lines: string[] = [];
        for await (const { data } of container.logs()) lines.push(data.toString().trim());
        return lines.join();
      };
      for (let n = 0; n < 2; n++) {
        await container.start();
        await container.wait();
      }
      assert.equal(await logs(), '1,0');
      await container.remove({ volumes: true });
      assert.ok((await names(engine)).includes('durable'), 'a volume with a name stays');
    }));

  it('stay with a durable container over stops, starts and the end of its host', (t) =>
    withEngine(t, async (bed) => {
      const first = await bed.open();
      const container = await first.containers.run({
        image: IMAGE,
        name: 'db',
        command: sh('while :; do echo x >> /data/log; sleep 0.05; done'),
        stopSignal: 'KILL',
        mounts: [volume('db')],
      });
      const { id } = container;
      await first.close();
      const { engine } = bed;
      const [holder] = await engine.volumes.whoUses('db');
      assert.deepEqual([holder?.id, holder?.kind, holder?.mounted, holder?.owner], [id, 'container', true, undefined]);
      const found = await engine.containers.get('db');
      const [mount] = (await found.inspect()).mounts;
      assert.deepEqual(
        [mount?.type, mount?.name, mount?.driver, mount?.destination, mount?.anonymous],
        ['volume', 'db', 'local', '/data', false],
      );
      const log = join(mount?.source as string, 'log');
      const size = statSync(log).size;
      await found.exec(sh('sleep 0.2'));
      assert.ok(statSync(log).size > size, 'it writes on');
      await found.stop({ timeoutMs: 0 });
      // Whoever notes the exit cleans up after it.
      await until(async () => (await engine.volumes.whoUses('db'))[0]?.mounted === false);
      await rejectsWith(engine.volumes.remove('db'), { reason: 'VOLUME_IN_USE', names: ['db'] });
      await found.start();
      await found.exec(['test', '-s', '/data/log'], { check: true });
      await found.remove({ force: true });
      assert.deepEqual(await engine.volumes.whoUses('db'), []);
      assert.ok(existsSync(log));
      await engine.volumes.remove('db');
      assert.ok(!existsSync(log));
    }));

  it('are shared by containers, one of which only reads', (t) =>
    withEngine(t, async ({ engine }) => {
      const writer = await engine.containers.run({
        image: IMAGE,
        command: ['sleep', '100'],
        mounts: [volume('shared')],
      });
      await using reader = await engine.containers.ephemeral({
        image: IMAGE,
        command: ['sleep', '100'],
        mounts: [volume('shared', { readOnly: true })],
      });
      await writer.exec(sh('echo news > /data/x'), { check: true });
      assert.equal((await reader.exec(['cat', '/data/x'])).stdout, 'news\n');
      assert.notEqual((await reader.exec(sh('echo lie > /data/x'))).exitCode, 0);
      assert.equal((await engine.volumes.whoUses('shared')).length, 2);
      await writer.remove({ force: true });
      assert.equal((await reader.exec(['cat', '/data/x'])).stdout, 'news\n');
    }));

  it('a subpath is mounted alone, and is looked for in the volume', (t) =>
    withEngine(t, async (bed) => {
      const { engine } = bed;
      await engine.run(IMAGE, sh('mkdir -p /data/a/b; echo deep > /data/a/b/f; ln -s / /data/out'), {
        mounts: [volume('tree')],
      });
      const cat = (subpath: string) =>
        engine.run(IMAGE, sh('cat /data/f; echo new > /data/g'), { mounts: [volume('tree', { subpath })] });
      assert.equal((await cat('a/b')).stdout, 'deep\n');
      assert.equal((await engine.run(IMAGE, ['cat', '/v/a/b/g'], { binds: ['tree:/v'] })).stdout, 'new\n');
      await failsCleanly(bed, () => cat('a/c'), { reason: 'SUBPATH_NOT_FOUND', names: ['a/c'] });
      await failsCleanly(bed, () => cat('out/etc'), { reason: 'SYMLINK_REFUSED' });
      assert.deepEqual(await engine.volumes.whoUses('tree'), []);
    }));

  it('are private to the container unless a bind says otherwise', (t) =>
    withEngine(t, async ({ engine, dir }) => {
      const source = join(dir, 'bind');
      mkdirSync(source);
      const { stdout } = await engine.run(IMAGE, sh('grep -E " (/v|/b) " /proc/self/mountinfo'), {
        mounts: [volume('private', { target: '/v' }), { type: 'bind', source, target: '/b', propagation: 'rslave' }],
      });
      const lines = stdout.trim().split('\n');
      assert.equal(lines.length, 2);
      assert.doesNotMatch(lines.find((line) => line.includes(' /v ')) as string, /shared:|master:/);
    }));

  it('conflict when driver, options or labels that a container asks for are not theirs', (t) =>
    withEngine(t, async (bed) => {
      const { engine } = bed;
      await engine.volumes.create({ name: 'data', labels: { app: 'shop' } });
      const run = (more: Partial<MountOptions>) => () =>
        engine.run(IMAGE, ['true'], { mounts: [volume('data', more)] });
      assert.equal((await run({ labels: { app: 'shop' } })()).exitCode, 0);
      assert.equal((await run({ driver: 'local' })()).exitCode, 0);
      const error = await failsCleanly(bed, run({ labels: { app: 'other' } }), { reason: 'VOLUME_CONFLICT' });
      assert.deepEqual(error.details['differs'], ['labels.app']);
      await failsCleanly(bed, run({ driver: 'absent' }), { reason: 'VOLUME_CONFLICT' });
      const create = () =>
        engine.containers.create({ image: IMAGE, command: ['true'], mounts: [volume('data', { labels: {} })] });
      await failsCleanly(bed, create, { reason: 'VOLUME_CONFLICT' });
    }));
});

describe('anonymous volumes of durable containers', () => {
  it('are kept by remove, taken by remove({ volumes: true }), by autoRemove, and by prune', (t) =>
    withEngine(t, async ({ engine }) => {
      await importData(engine);
      const options = { image: DATA, command: ['test', '-e', '/data/sub/file'] };
      const kept = await engine.containers.create(options);
      const name = await only(engine);
      assert.match(name, /^[0-9a-f]{64}$/);
      assert.deepEqual((await engine.volumes.prune()).removed, []);
      await kept.start();
      assert.equal((await kept.wait()).exitCode, 0);
      await kept.remove();
      assert.equal(await only(engine), name);
      assert.deepEqual(
        (await engine.volumes.prune()).removed.map((one) => one.name),
        [name],
      );
      const taken = await engine.containers.run(options);
      await taken.wait();
      await taken.remove({ volumes: true });
      assert.deepEqual(await names(engine), []);
      const auto = await engine.containers.run({ ...options, autoRemove: true });
      await auto.wait();
      await until(async () => (await names(engine)).length === 0);
    }));

  it('go to other containers with volumesFrom, and stay as long as one of them', (t) =>
    withEngine(t, async ({ engine }) => {
      await importData(engine);
      const first = await engine.containers.create({ image: DATA, command: ['true'], name: 'first' });
      const name = await only(engine);
      await engine.run(IMAGE, sh('echo by-heir > /data/x'), { volumesFrom: ['first'], check: true });
      const heir = await engine.containers.run({
        image: IMAGE,
        command: ['sleep', '100'],
        volumesFrom: [`${first.id}:ro`],
      });
      assert.equal((await heir.exec(['cat', '/data/x'])).stdout, 'by-heir\n');
      assert.notEqual((await heir.exec(['touch', '/data/y'])).exitCode, 0);
      await first.remove({ volumes: true });
      assert.equal(await only(engine), name);
      assert.equal((await heir.exec(['cat', '/data/x'])).stdout, 'by-heir\n');
      await heir.remove({ force: true, volumes: true });
    }));

  it('prune takes none that is being made', { timeout: 60_000 }, (t) =>
    withEngine(t, async ({ engine, open }) => {
      await importData(engine);
      const other = await open();
      let going = true;
      const pruning = (async () => {
        while (going) {
          await other.volumes.prune({ all: true });
          await delay(2);
        }
      })();
      try {
        for (let n = 0; n < 6; n++) {
          const container = await engine.containers.run({ image: DATA, command: ['test', '-e', '/data/sub/file'] });
          assert.equal((await container.wait()).exitCode, 0);
          const named = await engine.run(DATA, ['test', '-e', '/data/sub/file'], { mounts: [volume(`n${n}`)] });
          assert.equal(named.exitCode, 0);
          await container.remove({ volumes: true });
        }
      } finally {
        going = false;
        await pruning;
      }
    }),
  );
});

describe('drivers of the host program', () => {
  it('make the volumes of containers, by mount and by volumeDriver', (t) =>
    withEngine(t, async (bed) => {
      const { driver, dir, calls } = drivers(bed);
      const engine = await bed.open({ volumeDrivers: [driver] });
      await importData(engine);
      await engine.run(DATA, sh('echo x > /data/own'), { mounts: [volume('shop', { driver: 'mine' })], check: true });
      assert.deepEqual(readdirSync(join(dir, 'shop')).sort(), ['own', 'sub']);
      assert.deepEqual(calls, ['create shop', 'mount shop', 'unmount shop']);
      calls.length = 0;
      await engine.run(DATA, ['test', '-e', '/data/sub/file'], { volumeDriver: 'mine', check: true });
      assert.deepEqual(
        calls.map((call) => call.split(' ')[0]),
        ['create', 'mount', 'unmount', 'remove'],
      );
      assert.deepEqual(readdirSync(dir), ['shop']);
      const info = await engine.info();
      assert.deepEqual([info.volumes, info.volumeDrivers], [1, ['local', 'mine']]);
    }));

  it('one that fails makes create and start fail, with nothing left', (t) =>
    withEngine(t, async (bed) => {
      const { driver, dir, calls, state } = drivers(bed);
      const engine = await bed.open({ volumeDrivers: [driver] });
      await importData(engine);
      await engine.run(DATA, ['true'], { volumeDriver: 'mine' });
      const fail = (wanted: string) => {
        state.before = (method) => {
          if (method === wanted) throw new Error('the shelf is full');
        };
      };
      const mounts = [volume('shop', { driver: 'mine' })];
      const expected = { reason: 'DRIVER_FAILED', names: ['mine', 'the shelf is full'] } as const;
      const options = { image: DATA, command: ['true'], mounts };
      fail('create');
      await failsCleanly(bed, () => engine.run(DATA, ['true'], { mounts }), expected);
      await failsCleanly(bed, () => engine.containers.create(options), expected);
      await failsCleanly(bed, () => engine.containers.run({ ...options, mounts: [], volumeDriver: 'mine' }), expected);
      assert.deepEqual(readdirSync(dir), []);
      fail('mount');
      await rejectsWith(engine.run(DATA, ['true'], { mounts }), expected);
      assert.deepEqual(await engine.volumes.whoUses('shop'), []);
      const container = await engine.containers.create(options);
      await rejectsWith(container.start(), expected);
      assert.equal((await container.inspect()).status, 'created');
      assert.equal((await container.inspect()).error?.reason, 'DRIVER_FAILED');
      state.before = undefined;
      await container.start();
      await container.wait();
      await container.remove();
      assert.equal(calls.filter((call) => call === 'create shop').length, 2 + 1);
      assert.deepEqual(await engine.volumes.whoUses('shop'), []);
      await rejectsWith(engine.run(IMAGE, ['true'], { volumeDriver: 'absent', binds: ['/v'] }), {
        reason: 'DRIVER_NOT_FOUND',
        names: ['absent'],
      });
    }));

  it('one that hangs does not keep an engine from closing', { timeout: 30_000 }, (t) =>
    withEngine(t, async (bed) => {
      const { driver, state } = drivers(bed);
      const engine = await bed.open({ volumeDrivers: [driver] });
      let asked: () => void = () => {};
      const hanging = new Promise<void>((resolve) => {
        asked = resolve;
      });
      state.before = (method) => {
        if (method !== 'mount') return undefined;
        asked();
        return new Promise(() => {});
      };
      const run = engine.run(IMAGE, ['true'], { mounts: [volume('stuck', { driver: 'mine' })] });
      const failed = rejectsWith(run, { reason: 'CLOSED' });
      await hanging;
      const began = Date.now();
      await engine.close();
      await failed;
      assert.ok(Date.now() - began < 12_000, `${Date.now() - began} ms`);
    }),
  );

  it('one that is slow to unmount is waited for, however little time the stop has', (t) =>
    withEngine(t, async (bed) => {
      const { driver, calls, state } = drivers(bed);
      const starter = await bed.open({ volumeDrivers: [driver] });
      // Open already, so that it does not watch the container: the stop alone notes the exit.
      const engine = await bed.open({ volumeDrivers: [driver] });
      const { id } = await starter.containers.run({
        image: IMAGE,
        command: ['sleep', '100'],
        stopSignal: 'KILL',
        mounts: [volume('slow', { driver: 'mine' }), volume('next', { driver: 'mine', target: '/next' })],
      });
      await starter.close();
      const container = await engine.containers.get(id);
      state.before = (method) => (method === 'unmount' ? delay(600) : undefined);
      await container.stop({ timeoutMs: 300 });
      await until(async () => calls.includes('unmount next'));
    }));

  it('one named local takes the place of the built-in one, for volumes without a name too', (t) =>
    withEngine(t, async (bed) => {
      const { driver, calls } = drivers(bed, 'local');
      const engine = await bed.open();
      await importData(engine);
      engine.drivers.register(driver);
      await engine.run(DATA, ['test', '-e', '/data/sub/file'], { check: true });
      assert.deepEqual(
        calls.map((call) => call.split(' ')[0]),
        ['create', 'mount', 'unmount', 'remove'],
      );
      assert.equal(existsSync(join(bed.root, 'v1/volumes/throwaway')), false);
      engine.drivers.unregister('local');
      await engine.run(DATA, ['test', '-e', '/data/sub/file'], { check: true });
      assert.equal(calls.length, 4);
    }));
});

describe('engine.volumes and engine.drivers', () => {
  it('nothing is made for volumes before one is needed', (t) =>
    withEngine(
      t,
      async ({ engine, root, runDir }) => {
        await engine.run(IMAGE, ['true']);
        assert.equal(existsSync(join(root, 'v1/volumes')), false);
        assert.equal(existsSync(join(runDir, 'volumes')), false);
        assert.deepEqual(engine.drivers.names(), ['local']);
        assert.equal((await engine.info()).volumes, 0);
        assert.deepEqual(
          (await engine.drivers.list()).map(({ name, source }) => [name, source]),
          [['local', 'built-in']],
        );
      },
      { pluginSocketDirs: [], pluginSpecDirs: [] },
    ));

  it('events of volumes come with those of the engine, and end with it', (t) =>
    withEngine(t, async (bed) => {
      const engine = await bed.open();
      const seen: string[] = [];
      const watched: string[] = [];
      const closed = { reason: 'CLOSED' };
      const events = engine.events({ type: 'volume' });
      const watch = engine.volumes.watch({ name: 'aa' });
      const reading = assert.rejects(async () => {
        for await (const { action, id } of events) seen.push(`${action} ${id}`);
      }, closed);
      const watching = assert.rejects(async () => {
        for await (const { action, id } of watch) watched.push(`${action} ${id}`);
      }, closed);
      await engine.volumes.create({ name: 'aa' });
      await engine.run(IMAGE, ['true'], { binds: ['aa:/a', 'bb:/b'] });
      await engine.volumes.remove('aa');
      await until(async () => seen.includes('destroy aa') && watched.length === 4);
      await engine.close();
      await reading;
      await watching;
      assert.deepEqual(watched, ['create aa', 'mount aa', 'unmount aa', 'destroy aa']);
      assert.deepEqual(
        seen.filter((event) => event.endsWith(' aa')),
        watched,
      );
      assert.ok(seen.includes('create bb'));
      for (const call of [() => engine.volumes.list(), () => engine.drivers.list(), () => engine.drivers.names()]) {
        await rejectsWith(async () => call(), { reason: 'CLOSED' });
      }
    }));

  it('bad drivers are refused before anything is made', (t) =>
    withEngine(t, async (bed) => {
      const open = (volumeDrivers: unknown) => () => bed.open({ volumeDrivers } as never);
      const { driver } = drivers(bed);
      await failsCleanly(bed, open([{ name: 'x' }]), { reason: 'BAD_DRIVER', names: ['create'] });
      await failsCleanly(bed, open([driver, driver]), { reason: 'DRIVER_EXISTS', names: ['mine'] });
      await failsCleanly(bed, open(driver), { reason: 'BAD_OPTION', names: ['volumeDrivers'] });
    }));

  it('a scope removes its volumes after what uses them, and none that it did not make', (t) =>
    withEngine(t, async ({ engine }) => {
      await engine.volumes.create({ name: 'old' });
      {
        await using scope = engine.scope();
        const { name } = await scope.createVolume({ labels: { app: 'x' } });
        await scope.createVolume({ name: 'new' });
        await scope.run({ image: IMAGE, command: ['sleep', '100'], binds: [`${name}:/a`, 'new:/b', 'old:/c'] });
        await rejectsWith(scope.createVolume({ name: 'old' }), { reason: 'VOLUME_EXISTS', names: ['old'] });
        assert.equal((await names(engine)).length, 3);
      }
      assert.deepEqual(await names(engine), ['old']);
    }));
});

it('a volume’s content is what mountpoint says', (t) =>
  withEngine(t, async ({ engine }) => {
    await engine.run(IMAGE, sh('echo hello > /v/f'), { binds: ['vol:/v'] });
    const { mountpoint } = await engine.volumes.mount('vol', { holder: { id: 'host' } });
    assert.equal(readFileSync(join(mountpoint, 'f'), 'utf8'), 'hello\n');
    await engine.volumes.release('vol', 'host');
  }));
