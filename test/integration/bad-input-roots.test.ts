import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statfsSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Engine } from 'caisson';
import { busyboxTree, canRun, failsCleanly, IMAGE, listing, rejectsWith, withEngine } from '#support/engine-bed.js';
import { type TempRoot, withTempRoot } from '#support/roots.js';

/** Files of a container below the root. */
function recordFile(temp: TempRoot, id: string): string {
  return join(temp.root, 'v1/containers', id, 'record.json');
}

describe('roots that cannot be used', () => {
  it('a relative path, a file, a foreign owner, writable by others, a foreign link, the run dir above it', (t) => {
    if (!canRun(t)) return;
    return withTempRoot(async ({ dir, runDir }) => {
      const at = (name: string): string => join(dir, name);
      const file = at('file');
      writeFileSync(file, 'precious');
      mkdirSync(at('foreign'));
      chownSync(at('foreign'), 1000, 1000);
      mkdirSync(at('open'));
      writeFileSync(join(at('open'), 'x'), '');
      chmodSync(at('open'), 0o777);
      symlinkSync(at('foreign'), at('link'));
      const cases = [
        [{ root: 'rel' }, 'BAD_OPTION', 'rel'],
        [{ root: '' }, 'BAD_OPTION', 'root'],
        [{ root: '/a\0b' }, 'BAD_OPTION', 'root'],
        [{ root: '/proc/x' }, 'BAD_OPTION', '/proc/x'],
        [{ root: file }, 'ROOT_NOT_OURS', file],
        [{ root: join(file, 'below') }, 'ROOT_UNREADABLE', file],
        [{ root: at('foreign') }, 'ROOT_NOT_OURS', '1000'],
        [{ root: at('open') }, 'ROOT_NOT_OURS', '777'],
        [{ root: at('link') }, 'ROOT_NOT_OURS', at('foreign')],
        [{ root: join(runDir, 'r'), runDir }, 'CONFLICTING_OPTIONS', 'runDir'],
      ] as const;
      const before = readdirSync(dir).sort();
      for (const [options, reason, name] of cases) {
        await rejectsWith(Engine.open({ runDir, ...options }), { reason, names: [name] });
        assert.deepEqual(readdirSync(dir).sort(), before);
        assert.deepEqual(readdirSync(runDir), []);
      }
      assert.equal(readFileSync(file, 'utf8'), 'precious');
    });
  });

  it('a newer schema, a schema file with nonsense', (t) => {
    if (!canRun(t)) return;
    return withTempRoot(async (temp) => {
      const places = { root: temp.root, runDir: temp.runDir };
      await (await Engine.open(places)).close();
      const schema = join(temp.root, 'v1/schema.json');
      const good = readFileSync(schema, 'utf8');
      for (const [text, reason, name] of [
        ['{"schema":2}', 'ROOT_NEWER_SCHEMA', 'schema 2'],
        ['{"schema":"1"}', 'ROOT_UNREADABLE', 'schema.json'],
        ['', 'ROOT_UNREADABLE', 'schema.json'],
        ['\0\0\0', 'ROOT_UNREADABLE', 'schema.json'],
      ] as const) {
        writeFileSync(schema, text);
        await failsCleanly(temp, () => Engine.open(places), { reason, names: [name] });
        assert.equal(readFileSync(schema, 'utf8'), text, 'left as it is');
      }
      writeFileSync(schema, good);
      mkdirSync(join(temp.root, 'v7'));
      await failsCleanly(temp, () => Engine.open(places), { reason: 'ROOT_NEWER_SCHEMA', names: ['schema 7'] });
    });
  });
});

describe('damaged files in a root', () => {
  it('a container record: moved aside, the others go on', (t) =>
    withEngine(t, async (bed) => {
      const { containers } = bed.engine;
      const good = await containers.create({ image: IMAGE, command: ['true'], name: 'good' });
      for (const [i, damage] of ['', '{', '\0\0\0\0', '[]', 'null'].entries()) {
        const bad = await containers.create({ image: IMAGE, command: ['true'], name: `bad${i}` });
        const file = recordFile(bed, bad.id);
        writeFileSync(file, damage);
        const engine = await bed.open();
        assert.deepEqual(
          (await engine.containers.list({ all: true })).map((row) => row.name),
          ['good'],
          'a damaged record hides no other',
        );
        writeFileSync(file, damage);
        const error = await rejectsWith(engine.containers.get(`bad${i}`), {
          reason: 'RECORD_CORRUPT',
          names: [bad.id],
        });
        const aside = error.details['quarantine'] as string;
        assert.equal(readFileSync(aside, 'utf8'), damage, 'the evidence is kept');
      }
      assert.equal((await good.inspect()).status, 'created');
      await good.start();
      assert.equal((await good.wait()).exitCode, 0);
    }));

  it('a flipped bit in a container record is seen', (t) =>
    withEngine(t, async (bed) => {
      const container = await bed.engine.containers.create({ image: IMAGE, command: ['true'] });
      const file = recordFile(bed, container.id);
      writeFileSync(file, readFileSync(file, 'utf8').replace('"true"', '"tsue"'));
      await rejectsWith(container.inspect(), { reason: 'RECORD_CORRUPT', names: [container.id] });
    }));

  it('an image record: that image is gone, the others serve', (t) =>
    withEngine(t, async (bed) => {
      const image = await bed.engine.images.fromHost({ executables: ['busybox'], reference: 'test/other' });
      const file = join(bed.root, 'v1/images/images', image.id.replace('sha256:', ''), 'record.json');
      writeFileSync(file, '{"');
      const engine = await bed.open();
      await rejectsWith(engine.run('test/other', ['true']), { code: 'DATA_LOSS', reason: 'RECORD_CORRUPT' });
      assert.deepEqual(
        (await engine.images.list()).map((row) => row.references),
        [[`${IMAGE}:latest`]],
      );
      assert.equal((await engine.run(IMAGE, ['true'])).exitCode, 0);
      const again = await engine.images.fromHost({ executables: ['busybox'], reference: 'test/other' });
      assert.equal(again.id, image.id);
      assert.equal((await engine.run('test/other', ['busybox', 'true'])).exitCode, 0);
    }));

  it('rubbish in the directories of the root and the run dir hinders nobody', (t) =>
    withEngine(t, async (bed) => {
      const container = await bed.engine.containers.create({ image: IMAGE, command: ['true'] });
      for (const dir of ['containers', 'names', 'intents', 'locks', 'tombstones', 'snapshots', 'images', 'events']) {
        const path = join(bed.root, 'v1', dir);
        mkdirSync(path, { recursive: true });
        writeFileSync(join(path, 'some file'), 'x');
        writeFileSync(join(path, 'garbage.json'), '{');
        mkdirSync(join(path, 'some-dir'));
      }
      mkdirSync(join(bed.runDir, 'sessions/rubbish'));
      mkdirSync(join(bed.runDir, 'containers/rubbish'), { recursive: true });
      const engine = await bed.open();
      assert.equal((await engine.containers.list({ all: true })).length, 1);
      const { id, name } = await engine.containers.get(container.id);
      assert.deepEqual([id, name], [container.id, container.name]);
      await container.start();
      assert.equal((await container.wait()).exitCode, 0);
      await container.remove();
      assert.equal((await engine.run(IMAGE, ['true'], { name: 'x' })).exitCode, 0);
      assert.equal((await engine.info()).containers.total, 0);
    }));
});

describe('a full disk', () => {
  /** A file system of so many MiB for the root; its run dir is elsewhere, as usual. */
  async function onSmallDisk(temp: TempRoot, sizeMiB: number, work: (root: string) => Promise<void>): Promise<void> {
    const disk = join(temp.dir, 'disk');
    mkdirSync(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMiB}m,mode=700`, 'tmpfs', disk]);
    try {
      await work(join(disk, 'root'));
    } finally {
      execFileSync('umount', [disk]);
    }
  }

  it('an import that does not fit: DISK_FULL, nothing stays, a smaller one fits', (t) => {
    if (!canRun(t)) return;
    return withTempRoot((temp) =>
      onSmallDisk(temp, 8, async (root) => {
        await using engine = await Engine.open({ root, runDir: temp.runDir, defaultRuntime: 'runc' });
        const big = join(temp.dir, 'big');
        mkdirSync(join(big, 'etc'), { recursive: true });
        execFileSync('dd', ['if=/dev/urandom', `of=${big}/data`, 'bs=1M', 'count=12'], { stdio: 'ignore' });
        const before = listing({ root, runDir: temp.runDir });
        for (let i = 0; i < 2; i++) {
          await rejectsWith(engine.images.import(big, { format: 'rootfs', reference: 'test/big' }), {
            reason: 'DISK_FULL',
            names: [root],
          });
        }
        assert.deepEqual(
          listing({ root, runDir: temp.runDir }).filter(
            (path) => !before.includes(path) && /snapshots|content/.test(path),
          ),
          [],
        );
        await engine.images.import(busyboxTree(), { format: 'rootfs', reference: IMAGE });
        assert.equal((await engine.run(IMAGE, ['true'])).exitCode, 0);
      }),
    );
  });

  it('create, run and start on a full disk: typed errors, nothing half-made, all works once there is room', (t) => {
    if (!canRun(t)) return;
    return withTempRoot((temp) =>
      onSmallDisk(temp, 8, async (root) => {
        await using engine = await Engine.open({ root, runDir: temp.runDir, defaultRuntime: 'runc' });
        await engine.images.import(busyboxTree(), { format: 'rootfs', reference: IMAGE });
        const places = { root, runDir: temp.runDir };
        await engine.run(IMAGE, ['true']);
        const idle = await engine.containers.create({ image: IMAGE, command: ['echo', 'hi'], name: 'idle' });
        const ballast = join(root, 'ballast');
        assert.throws(() => execFileSync('dd', ['if=/dev/zero', `of=${ballast}`, 'bs=4k'], { stdio: 'ignore' }));
        const before = listing(places);
        const fails = async (work: () => Promise<unknown>): Promise<void> => {
          await rejectsWith(work, { reason: 'DISK_FULL', names: [root] });
          assert.deepEqual(listing(places), before);
        };
        await fails(() => engine.containers.create({ image: IMAGE, command: ['true'], name: 'second' }));
        await fails(() => engine.run(IMAGE, ['true'], { name: 'third' }));
        await fails(() => idle.start());
        await fails(() => engine.images.tag(IMAGE, 'test/tagged'));
        assert.equal((await idle.inspect()).status, 'created');
        // Reading needs no room, and removing makes some.
        assert.deepEqual(
          (await engine.containers.list({ all: true })).map((row) => row.name),
          ['idle'],
        );
        execFileSync('rm', [ballast]);
        await idle.start();
        assert.equal((await idle.wait()).exitCode, 0);
        await idle.remove();
        await (await engine.containers.create({ image: IMAGE, command: ['true'], name: 'second' })).remove();
      }),
    );
  });

  it('a container is removed from a full disk', (t) => {
    if (!canRun(t)) return;
    return withTempRoot((temp) =>
      onSmallDisk(temp, 8, async (root) => {
        await using engine = await Engine.open({ root, runDir: temp.runDir, defaultRuntime: 'runc' });
        await engine.images.import(busyboxTree(), { format: 'rootfs', reference: IMAGE });
        const container = await engine.containers.run({ image: IMAGE, command: ['sleep', '100'] });
        assert.notEqual((await container.exec(['dd', 'if=/dev/zero', 'of=/full', 'bs=4k'])).exitCode, 0);
        assert.equal(statfsSync(root).bfree, 0);
        await container.remove({ force: true });
        assert.equal((await engine.run(IMAGE, ['true'])).exitCode, 0);
      }),
    );
  });
});
