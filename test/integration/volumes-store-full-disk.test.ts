import assert from 'node:assert/strict';
import { closeSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { EngineError } from '#src/errors/index.js';
import { unmount } from '#src/os/index.js';
import { VolumeStore } from '#src/volumes/store/index.js';
import { requireRoot } from '#support/require.js';
import { withTempRoot } from '#support/roots.js';
import { runOk } from '#support/run.js';

describe('volumes on a full disk', () => {
  it('fail whole, and can be used, released and removed', async (t) => {
    if (!requireRoot(t)) return;
    await withTempRoot(async ({ root, runDir }) => {
      await runOk('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=0700', 'tmpfs', root]);
      const store = await VolumeStore.open({ root, runDir });
      try {
        for (const name of ['aa', 'bb', 'cc']) await store.create({ name, holder: { id: 'h1' } });
        await store.mount('aa', { holder: { id: 'h1' } });
        fill(join(root, 'filler'));
        const full = (error: unknown) => EngineError.is(error, 'RESOURCE_EXHAUSTED', 'DISK_FULL');
        await assert.rejects(store.create({ name: 'new' }), full);
        await assert.rejects(store.hold('aa', { id: 'h2' }), full);
        await assert.rejects(store.mount('bb', { holder: { id: 'h2' } }), full);
        assert.equal(await store.find('new'), undefined);
        assert.deepEqual(
          store.whoUses('aa').map(({ id }) => id),
          ['h1'],
        );
        assert.deepEqual(
          store.whoUses('bb').map(({ id }) => id),
          ['h1'],
        );
        assert.ok((await store.mount('bb', { holder: { id: 'h1' } })).mountpoint, 'what is held can be mounted');
        for (const name of ['aa', 'bb']) {
          await store.release(name, 'h1');
          await store.remove(name);
        }
        await assert.rejects(store.remove('cc'), (error) => EngineError.is(error, 'CONFLICT', 'VOLUME_IN_USE'));
        rmSync(join(root, 'filler'));
        await store.create({ name: 'new', labels: { a: '1' } });
        assert.deepEqual(
          (await store.list()).volumes.map(({ name }) => name),
          ['cc', 'new'],
        );
        assert.deepEqual(readdirSync(join(root, 'v1/volumes/records')).sort(), ['cc', 'new']);
      } finally {
        await store.close();
        unmount(root);
      }
    });
  });
});

function fill(path: string): void {
  const fd = openSync(path, 'w');
  try {
    for (const size of [65_536, 4_096]) {
      try {
        for (;;) writeSync(fd, Buffer.alloc(size));
      } catch {
        // No room for a block of this size any more.
      }
    }
  } finally {
    closeSync(fd);
  }
}
