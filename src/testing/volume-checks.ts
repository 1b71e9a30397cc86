import assert from 'node:assert/strict';
import { needsData, type VolumeCheck } from './volume-check.js';

const SAFE_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/;
/** Legal, and each a word that somebody's code takes for something else. */
const ODD_NAMES = ['0', 'a', 'A', 'a.b_c-d', 'a..b', 'a-', 'a_', 'x.', 'constructor', 'toString', 'null', 'undefined'];

/** What a driver must do with volumes that nobody mounts. */
export const VOLUME_CHECKS: readonly VolumeCheck[] = [
  {
    name: 'it has a valid name and scope',
    async run({ kit: { driver } }) {
      assert.match(driver.name, SAFE_NAME, 'the name of the driver is not valid');
      assert.ok([undefined, 'local', 'global'].includes(driver.scope), `the scope ${driver.scope} does not exist`);
    },
  },
  {
    name: 'a volume that was created is found and listed, once',
    async run({ kit }) {
      const name = kit.newName();
      assert.equal(await kit.isListed(name), false, 'a volume is listed that was not created');
      await kit.create(name);
      const volume = await kit.get(name);
      assert.ok(volume !== undefined, 'get gave undefined for a volume that was created');
      assert.equal(volume.name, name, 'get gave another volume');
      assert.ok(await kit.isListed(name), 'list does not have a volume that was created');
    },
  },
  {
    name: 'what get tells has the right form',
    async run({ kit }) {
      const volume = await kit.get(await kit.create());
      assert.ok(volume !== undefined, 'get gave undefined for a volume that was created');
      const { mountpoint, createdAt, status } = volume;
      if (mountpoint !== undefined) {
        assert.ok(typeof mountpoint === 'string', 'mountpoint is no text');
        assert.match(mountpoint, /^\/.*[^/.]/, `mountpoint ${mountpoint} is not absolute, or the root of the host`);
      }
      if (createdAt !== undefined) {
        assert.ok(createdAt instanceof Date, 'createdAt is no Date');
        const age = Date.now() - createdAt.getTime();
        assert.ok(Math.abs(age) < 3_600_000, `createdAt is ${createdAt}, and the volume was just created`);
      }
      if (status !== undefined) {
        assert.ok(typeof status === 'object' && status !== null && !Array.isArray(status), 'status is no object');
        assert.ok(JSON.stringify(status) !== undefined, 'status is not made of JSON values');
      }
    },
  },
  {
    name: 'get of an unknown volume gives undefined',
    async run({ kit }) {
      const volume = await kit.get(kit.newName('unknown'));
      assert.equal(volume, undefined, 'get gave something for a volume that was never created');
    },
  },
  {
    name: 'create of a volume that exists succeeds and changes nothing',
    async run({ kit, options }) {
      const name = await kit.create();
      const keepsData = options.keepsData !== false;
      if (keepsData) await kit.whileMounted(name, (dir) => kit.write(dir, 'file', 'before'));
      await kit.create(name);
      assert.ok(await kit.isListed(name), 'list does not have a volume that was created twice');
      if (!keepsData) return;
      await kit.whileMounted(name, (dir) => kit.assertFile(dir, 'file', 'before', 'after the second create'));
    },
  },
  {
    name: 'a volume that was removed is gone, and a new one of its name is empty',
    async run({ kit }) {
      const name = await kit.create();
      await kit.whileMounted(name, (dir) => kit.write(dir, 'file', 'old'));
      await kit.remove(name);
      assert.equal(await kit.get(name), undefined, 'get gave something for a volume that was removed');
      assert.ok(!(await kit.isListed(name)), 'list has a volume that was removed');
      await kit.create(name);
      await kit.whileMounted(name, (dir) => kit.assertEmpty(dir, 'after remove and create'));
    },
  },
  {
    name: 'remove of an unknown volume is no error',
    async run({ kit }) {
      await kit.remove(kit.newName('unknown'));
      const name = await kit.create();
      await kit.remove(name);
      await kit.remove(name);
      assert.equal(await kit.get(name), undefined, 'get gave something for a volume that was removed twice');
    },
  },
  {
    name: 'volumes do not share their content',
    async run({ kit }) {
      const [one, two] = [await kit.create(), await kit.create()];
      await kit.whileMounted(one, async (first) => {
        await kit.write(first, 'file', 'one');
        await kit.whileMounted(two, async (second) => {
          await kit.assertEmpty(second, 'after a file was written to another volume');
          await kit.write(second, 'file', 'two');
        });
        await kit.assertFile(first, 'file', 'one', 'after the file of that name in another volume was written');
      });
      await kit.remove(two);
      assert.ok(await kit.isListed(one), 'removing one volume removed another');
    },
  },
  {
    name: 'odd but legal names work and are told apart',
    async run({ kit }) {
      const unique = kit.newName('');
      const names = [...ODD_NAMES.map((name) => `${name}${unique}`), 'x'.repeat(128 - unique.length) + unique];
      for (const name of names) {
        assert.equal(await kit.get(name), undefined, `get gave something for ${name} before it was created`);
        await kit.create(name);
      }
      for (const name of names) {
        assert.equal((await kit.get(name))?.name, name, `get of ${name} gave another volume`);
        assert.ok(await kit.isListed(name), `list does not have ${name}`);
      }
      for (const name of names) {
        await kit.remove(name);
        assert.equal(await kit.get(name), undefined, `get gave something for ${name} after it was removed`);
      }
    },
  },
  {
    name: 'volumes and their content are there for another process',
    doesNotApply: (options) => (options.reopen === undefined ? 'no reopen was given' : undefined),
    async run({ kit, options }) {
      const name = await kit.create();
      await kit.whileMounted(name, (dir) => kit.write(dir, 'file', 'first'));
      const other = await (options.reopen as NonNullable<typeof options.reopen>)();
      assert.equal(
        (await kit.limited('get', (call) => other.get(name, call)))?.name,
        name,
        'the driver that was opened again does not have the volume',
      );
      if (needsData(options) !== undefined) return;
      const id = kit.newId();
      const { mountpoint } = await kit.limited('mount', (call) => other.mount({ name, id }, call));
      await kit.assertFile(mountpoint, 'file', 'first', 'after the driver was opened again');
      await kit.limited('unmount', (call) => other.unmount({ name, id }, call));
    },
  },
];
