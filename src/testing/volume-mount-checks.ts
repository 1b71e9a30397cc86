import assert from 'node:assert/strict';
import { needsData, type VolumeCheck } from './volume-check.js';

/** What a driver must do with mounts and those who hold them. */
export const MOUNT_CHECKS: readonly VolumeCheck[] = [
  {
    name: 'a mounted volume is a directory that can be written',
    async run({ kit }) {
      const name = await kit.create();
      const id = kit.newId();
      const dir = await kit.mount(name, id);
      await kit.assertEmpty(dir, 'after it was created');
      await kit.write(dir, 'file', 'text');
      await kit.assertFile(dir, 'file', 'text', 'right after it was written');
      await kit.unmount(name, id);
    },
  },
  {
    name: 'mount of an unknown volume fails and makes none',
    async run({ kit }) {
      const name = kit.newName('unknown');
      const mount = kit.limited('mount', (call) => kit.driver.mount({ name, id: kit.newId() }, call));
      const answer = await mount.catch((error: unknown) => {
        if (error instanceof assert.AssertionError) throw error;
        return undefined;
      });
      assert.equal(answer, undefined, 'mount of a volume that was never created succeeded');
      assert.equal(await kit.get(name), undefined, 'mount made the volume');
    },
  },
  {
    name: 'content survives unmount and mount',
    doesNotApply: needsData,
    async run({ kit }) {
      const name = await kit.create();
      await kit.whileMounted(name, (dir) => kit.write(dir, 'file', 'first'));
      await kit.whileMounted(name, async (dir) => {
        await kit.assertFile(dir, 'file', 'first', 'after unmount and mount');
        await kit.write(dir, 'file', 'second');
      });
      await kit.whileMounted(name, (dir) => kit.assertFile(dir, 'file', 'second', 'after unmount and mount'));
    },
  },
  {
    name: 'holders see the same content at the same time',
    async run({ kit }) {
      const name = await kit.create();
      await kit.whileMounted(name, async (first) => {
        await kit.write(first, 'file', 'shared');
        await kit.whileMounted(name, async (second) => {
          await kit.assertFile(second, 'file', 'shared', 'for a second holder');
          await kit.write(second, 'back', 'again');
        });
        await kit.assertFile(first, 'back', 'again', 'for the first holder, when the second was gone');
      });
    },
  },
  {
    name: 'one holder does not end the mount of another',
    async run({ kit }) {
      const name = await kit.create();
      const ids = [kit.newId(), kit.newId(), kit.newId()] as const;
      const dirs: string[] = [];
      for (const id of ids) dirs.push(await kit.mount(name, id));
      await kit.write(dirs[0] as string, 'file', 'text');
      // Not in the order they came, and not backwards.
      for (const [gone, left] of [
        [1, [0, 2]],
        [0, [2]],
      ] as const) {
        await kit.unmount(name, ids[gone]);
        for (const holder of left) {
          await kit.assertFile(dirs[holder] as string, 'file', 'text', 'when another holder unmounted');
          await kit.write(dirs[holder] as string, `by-${gone}-${holder}`, 'more');
        }
      }
      await kit.unmount(name, ids[2]);
    },
  },
  {
    name: 'unmount is idempotent and takes nothing from others',
    async run({ kit }) {
      const name = await kit.create();
      const [one, two] = [kit.newId(), kit.newId()];
      await kit.unmount(name, kit.newId());
      const dir = await kit.mount(name, one);
      await kit.mount(name, two);
      await kit.write(dir, 'file', 'text');
      await kit.unmount(name, kit.newId());
      for (let i = 0; i < 3; i++) await kit.unmount(name, two);
      await kit.assertFile(dir, 'file', 'text', 'when others unmounted several times what they did not hold');
      await kit.write(dir, 'file', 'still');
      await kit.unmount(name, one);
      await kit.unmount(name, one);
    },
  },
  {
    name: 'the same id is one holder, also when it mounts again',
    async run({ kit }) {
      const name = await kit.create();
      const [one, two] = [kit.newId(), kit.newId()];
      const first = await kit.mount(name, one);
      await kit.write(first, 'file', 'text');
      const again = await kit.mount(name, one);
      await kit.assertFile(again, 'file', 'text', 'when the same holder mounted again');
      await kit.mount(name, two);
      await kit.unmount(name, two);
      await kit.assertFile(again, 'file', 'text', 'when another holder came and went');
      await kit.unmount(name, one);
      // Nobody holds it any more, so nothing keeps it from being removed.
      await kit.remove(name);
      assert.equal(await kit.get(name), undefined, 'get gave something for a volume that was removed');
    },
  },
  {
    name: 'an id holds each volume for itself',
    async run({ kit }) {
      const [one, two] = [await kit.create(), await kit.create()];
      const id = kit.newId();
      const first = await kit.mount(one, id);
      const second = await kit.mount(two, id);
      await kit.write(second, 'file', 'two');
      await kit.unmount(one, id);
      await kit.assertFile(second, 'file', 'two', 'when the same id unmounted another volume');
      assert.notEqual(first, second, 'two volumes have one mountpoint');
      await kit.unmount(two, id);
    },
  },
];
