import assert from 'node:assert/strict';
import { chownSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { IMAGE, rejectsWith, withEngine } from '#support/engine-bed.js';
import { importHostile } from '#support/hostile-image.js';

const DATA = 'test/data';

const tree = (upper: string): void => {
  mkdirSync(join(upper, 'data/sub'), { recursive: true });
  writeFileSync(join(upper, 'data/sub/file'), 'of the image');
  chownSync(join(upper, 'data'), 1000, 1000);
};

describe('volumes without a name of throwaway containers', () => {
  it("what an image declares gets the image's content, can be written, and goes with the container", (t) =>
    withEngine(t, async ({ engine, root }) => {
      await importHostile(engine, DATA, { tree, config: { Volumes: { '/data': {}, 'made/here': {} } } });
      const places = join(root, 'v1/volumes/throwaway');
      {
        await using box = await engine.containers.ephemeral({ image: DATA, command: ['sleep', '100'] });
        const script =
          'cat /data/sub/file; touch /data/new /made/here/x; stat -c %u /data; grep -c -E " /(data|made/here) " /proc/mounts';
        const { stdout } = await box.exec(['sh', '-c', script], { check: true });
        assert.equal(stdout, 'of the image1000\n2\n');
        assert.deepEqual(readdirSync(places), [box.id]);
        assert.deepEqual(
          box.mounts.map(({ type, destination, name, anonymous }) => [type, destination, name, anonymous]),
          [
            ['volume', '/data', undefined, true],
            ['volume', '/made/here', undefined, true],
          ],
        );
        assert.ok(existsSync(`${box.mounts[0]?.source}/new`));
      }
      assert.deepEqual(readdirSync(places), []);
      // Nothing went into the image.
      assert.equal((await engine.run(DATA, ['ls', '/data'])).stdout, 'sub\n');
    }));

  it('nocopy, read-only, and other mounts at the same place', (t) =>
    withEngine(t, async ({ engine, root }) => {
      await importHostile(engine, DATA, { tree, config: { Volumes: { '/data': {} } } });
      const ls = async (options: object): Promise<string> =>
        (await engine.run(DATA, ['sh', '-c', 'ls /data; touch /data/x || echo read-only'], options)).stdout;
      assert.equal(await ls({ mounts: [{ type: 'volume', target: '/data', noCopy: true }] }), '');
      assert.equal(await ls({ mounts: [{ type: 'volume', target: '/data', readOnly: true }] }), 'sub\nread-only\n');
      assert.equal(await ls({ tmpfs: { '/data': '' } }), '');
      assert.equal(await ls({ binds: ['/data'] }), 'sub\n');
      assert.deepEqual(readdirSync(join(root, 'v1/volumes/throwaway')), []);
    }));

  it('an image that declares one at a place of the runtime does not run', (t) =>
    withEngine(t, async ({ engine, root }) => {
      for (const path of ['/proc', '/proc/self/attr', '/sys', '/dev', '/']) {
        await importHostile(engine, DATA, { config: { Volumes: { [path]: {} } } });
        await rejectsWith(engine.run(DATA, ['true']), { reason: 'BAD_MOUNT_TARGET', names: ['image.volumes', path] });
        await rejectsWith(engine.containers.create({ image: DATA, command: ['true'] }), { reason: 'BAD_MOUNT_TARGET' });
      }
      await importHostile(engine, DATA, {
        tree: (upper) => writeFileSync(join(upper, 'x'), ''),
        config: { Volumes: { '/x': {} } },
      });
      await rejectsWith(engine.run(DATA, ['true']), { reason: 'BAD_MOUNT_TARGET' });
      assert.deepEqual(readdirSync(join(root, 'v1/volumes/throwaway')), []);
      assert.equal((await engine.run(IMAGE, ['true'])).exitCode, 0);
    }));
});
