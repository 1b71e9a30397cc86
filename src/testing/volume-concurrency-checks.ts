import assert from 'node:assert/strict';
import type { VolumeCheck } from './volume-check.js';

/** What a driver must do when callers come at once or go early. */
export const CONCURRENCY_CHECKS: readonly VolumeCheck[] = [
  {
    name: 'one volume created by many at once is one volume',
    async run({ kit }) {
      const name = kit.newName();
      await Promise.all(Array.from({ length: 8 }, () => kit.create(name)));
      assert.ok(await kit.isListed(name), 'list does not have the volume');
      await kit.whileMounted(name, (dir) => kit.assertEmpty(dir, 'after it was created'));
    },
  },
  {
    name: 'many volumes live at once',
    async run({ kit }) {
      const names = Array.from({ length: 8 }, () => kit.newName());
      await Promise.all(
        names.map(async (name) => {
          await kit.create(name);
          await kit.whileMounted(name, (dir) => kit.write(dir, 'file', name));
          assert.ok(await kit.isListed(name), `list does not have ${name}`);
        }),
      );
      await Promise.all(names.map((name) => kit.remove(name)));
      const left = (await kit.list()).filter((volume) => names.includes(volume.name));
      assert.deepEqual(left, [], 'list has volumes that were removed');
    },
  },
  {
    name: 'holders that come and go at once leave the mount to who stays',
    async run({ kit }) {
      const name = await kit.create();
      const id = kit.newId();
      const dir = await kit.mount(name, id);
      await kit.write(dir, 'file', 'text');
      const others = Array.from({ length: 12 }, () => kit.newId());
      const comes = async (id: string) => {
        await kit.assertFile(await kit.mount(name, id), 'file', 'text', 'for one of many holders');
      };
      const goes = (id: string) => kit.unmount(name, id);
      // All three ways: what loses a count in one of them may not in another.
      await Promise.all(others.map(comes));
      for (const other of others) await goes(other);
      await kit.assertFile(dir, 'file', 'text', 'when others had come at once and gone one by one');
      for (const other of others) await comes(other);
      await Promise.all(others.map(goes));
      await kit.assertFile(dir, 'file', 'text', 'when others had come one by one and gone at once');
      await Promise.all(others.map((other) => comes(other).then(() => goes(other))));
      await kit.assertFile(dir, 'file', 'text', 'when all others had unmounted');
      await kit.write(dir, 'file', 'still');
      await kit.unmount(name, id);
    },
  },
  {
    name: 'a call that was aborted leaves the driver usable',
    async run({ kit }) {
      const name = await kit.create();
      const aborted = { signal: AbortSignal.abort() };
      const other = kit.newName();
      const id = kit.newId();
      const { driver } = kit;
      const calls: (() => Promise<unknown> | unknown)[] = [
        () => driver.get(name, aborted),
        () => driver.list(aborted),
        () => driver.create({ name: other, options: {} }, aborted),
        () => driver.mount({ name, id }, aborted),
        () => driver.unmount({ name, id }, aborted),
        () => driver.remove(other, aborted),
      ];
      // Whether they fail is the driver's choice; that they end is not.
      for (const call of calls) await kit.limited('an aborted call', call).catch(rethrowAssertion);
      await kit.unmount(name, id);
      await kit.remove(other);
      assert.equal(await kit.get(other), undefined, 'get gave something for a volume that was removed');
      assert.equal((await kit.get(name))?.name, name, 'an aborted call lost another volume');
      await kit.whileMounted(name, (dir) => kit.write(dir, 'file', 'text'));
    },
  },
  {
    name: 'a call whose signal is aborted rejects',
    doesNotApply: (options) => (options.honorsSignals === true ? undefined : 'honorsSignals was not given'),
    async run({ kit }) {
      const name = await kit.create();
      const { driver } = kit;
      const aborted = { signal: AbortSignal.abort() };
      const id = kit.newId();
      const calls: Record<string, () => Promise<unknown> | unknown> = {
        create: () => driver.create({ name, options: {} }, aborted),
        get: () => driver.get(name, aborted),
        list: () => driver.list(aborted),
        mount: () => driver.mount({ name, id }, aborted),
        unmount: () => driver.unmount({ name, id }, aborted),
        remove: () => driver.remove(name, aborted),
      };
      for (const [method, call] of Object.entries(calls)) {
        let isDone = true;
        await kit.limited(method, call).catch((error: unknown) => {
          rethrowAssertion(error);
          isDone = false;
        });
        assert.ok(!isDone, `${method} went on although its signal was aborted`);
      }
      assert.equal((await kit.get(name))?.name, name, 'an aborted remove removed the volume');
    },
  },
];

/** The limit of the check itself is no choice of the driver. */
function rethrowAssertion(error: unknown): void {
  if (error instanceof Error && error.name === 'AssertionError') throw error;
}
