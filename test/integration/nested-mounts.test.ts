import assert from 'node:assert/strict';
import { existsSync, lstatSync, mkdirSync, readdirSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Engine, MountOptions } from 'caisson';
import { IMAGE, rejectsWith, withEngine } from '#support/engine-bed.js';
import { importHostile } from '#support/hostile-image.js';
import { tempDir } from '#support/roots.js';

const volume = (source: string, target: string, more: object = {}): MountOptions =>
  ({ type: 'volume', source, target, ...more }) as MountOptions;

/** Makes a volume and gives the host path of its content. */
async function contentOf(engine: Engine, name: string): Promise<string> {
  await engine.volumes.create({ name });
  await engine.run(IMAGE, ['true'], { mounts: [volume(name, '/v', { noCopy: true })] });
  return (await engine.volumes.inspect(name)).mountpoint as string;
}

describe('mounts below a volume', () => {
  it('a volume, a bind, a file and a tmpfs get their mountpoints in the volume', (t) =>
    withEngine(t, async ({ engine }) => {
      const host = tempDir(t, 'nested');
      writeFileSync(join(host, 'f'), 'of the host');
      const mounts = [
        volume('outer', '/a'),
        volume('inner', '/a/b/deep'),
        { type: 'bind', source: host, target: '/a/bind' },
        { type: 'bind', source: join(host, 'f'), target: '/a/file' },
        { type: 'tmpfs', target: '/a/tmp' },
        volume('third', '/a/tmp/in/tmp'),
        { type: 'bind', source: host, target: '/a/b/deep/down' },
      ] as MountOptions[];
      const script = 'cat /a/bind/f /a/file /a/b/deep/down/f; touch /a/b/deep/x /a/tmp/x /a/tmp/in/tmp/y';
      const umask = process.umask(0o077);
      try {
        const { stdout } = await engine.run(IMAGE, ['sh', '-c', script], { mounts, check: true });
        assert.equal(stdout, 'of the host'.repeat(3));
      } finally {
        process.umask(umask);
      }
      const { mountpoint } = await engine.volumes.inspect('outer');
      assert.deepEqual(readdirSync(mountpoint as string).sort(), ['b', 'bind', 'file', 'tmp']);
      assert.equal(lstatSync(`${mountpoint}/b/deep`).mode & 0o7777, 0o755);
      assert.equal(lstatSync(`${mountpoint}/tmp`).mode & 0o7777, 0o1777);
      assert.deepEqual(readdirSync(`${mountpoint}/b/deep`), []);
      const inner = (await engine.volumes.inspect('inner')).mountpoint as string;
      assert.deepEqual(readdirSync(inner).sort(), ['down', 'x']);
      assert.deepEqual(readdirSync(host), ['f']);
      // They are there now: also for a read-only mount.
      const again = mounts.map((mount) => (mount.target === '/a' ? { ...mount, readOnly: true } : mount));
      await engine.run(IMAGE, ['cat', '/a/file'], { mounts: again, check: true });
    }));

  it('a link at the place or on the way is refused, and nothing outside is touched', (t) =>
    withEngine(t, async ({ engine }) => {
      const victim = tempDir(t, 'victim');
      const outer = await contentOf(engine, 'outer');
      symlinkSync('/etc', join(outer, 'b'));
      symlinkSync(victim, join(outer, 'out'));
      symlinkSync(join(victim, 'missing'), join(outer, 'dangling'));
      symlinkSync(`..${'/..'.repeat(20)}${victim}/made`, join(outer, 'climb'));
      const etc = readdirSync('/etc').sort();
      const targets = ['/a/b', '/a/b/caisson-nested', '/a/out', '/a/out/new', '/a/dangling', '/a/climb'];
      for (const target of targets) {
        for (const below of [volume('inner', target), { type: 'tmpfs', target } as MountOptions]) {
          const mounts = [volume('outer', '/a'), below];
          const wanted = { reason: 'SYMLINK_REFUSED', names: ['mounts.target', target] } as const;
          await rejectsWith(engine.run(IMAGE, ['true'], { mounts }), wanted);
          const durable = await engine.containers.create({ image: IMAGE, command: ['true'], mounts });
          await rejectsWith(durable.start(), wanted);
          await durable.remove();
        }
      }
      assert.deepEqual(readdirSync(victim), []);
      assert.deepEqual(readdirSync('/etc').sort(), etc);
      assert.equal(readlinkSync(join(outer, 'b')), '/etc');
      assert.deepEqual(await engine.volumes.whoUses('outer'), []);
    }));

  it('what is missing in a read-only volume, below a file or of another kind is refused', (t) =>
    withEngine(t, async ({ engine }) => {
      const host = tempDir(t, 'nested');
      writeFileSync(join(host, 'f'), '');
      const outer = await contentOf(engine, 'outer');
      writeFileSync(join(outer, 'file'), 'text');
      const refused = (outerMount: MountOptions, target: string) =>
        rejectsWith(engine.run(IMAGE, ['true'], { mounts: [outerMount, volume('inner', target)] }), {
          reason: 'BAD_MOUNT_TARGET',
          names: ['mounts.target', target],
        });
      await refused(volume('outer', '/a', { readOnly: true }), '/a/new');
      await refused(volume('outer', '/a'), '/a/file');
      await refused(volume('outer', '/a'), '/a/file/below');
      await refused({ type: 'bind', source: join(host, 'f'), target: '/a' } as MountOptions, '/a/below');
      assert.deepEqual(readdirSync(outer), ['file']);
    }));

  it("an image's link that leads into a volume is followed, links in the volume are not", (t) =>
    withEngine(t, async ({ engine }) => {
      const victim = tempDir(t, 'victim');
      await importHostile(engine, 'test/links', {
        tree: (upper) => {
          mkdirSync(join(upper, 'a'));
          symlinkSync('/a', join(upper, 'x'));
          symlinkSync('a/../../etc', join(upper, 'y'));
        },
      });
      const outer = await contentOf(engine, 'outer');
      symlinkSync(victim, join(outer, 'out'));
      const run = (target: string) =>
        engine.run('test/links', ['sh', '-c', 'touch /a/b/new'], {
          mounts: [volume('outer', '/a'), volume('inner', target)],
          check: true,
        });
      await run('/x/b');
      assert.deepEqual(readdirSync(outer).sort(), ['b', 'out']);
      assert.ok(existsSync(`${(await engine.volumes.inspect('inner')).mountpoint}/new`));
      await rejectsWith(run('/x/out/b'), { reason: 'SYMLINK_REFUSED', names: ['/x/out/b'] });
      await rejectsWith(run('/y/b'), { reason: 'BAD_MOUNT_TARGET', names: ['/y/b'] });
      assert.deepEqual(readdirSync(victim), []);
    }));
});
