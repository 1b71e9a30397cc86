import assert from 'node:assert/strict';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { LegacyPlugins } from '#src/plugins/index.js';
import { registerChecks, volumeDriverContract } from '#src/testing/index.js';
import { KeyedMutex } from '#src/util/keyed-mutex.js';
import { DriverStore } from '#src/volumes/drivers/index.js';
import type { VolumeDriver } from '#src/volumes/volume-driver.js';
import { missingForRclone, type RclonePlugin, startRclonePlugin } from '#support/plugins/rclone-plugin.js';
import { tempDir } from '#support/roots.js';
import { unguarded } from '#support/unguarded.js';

const missing = missingForRclone();

describe('rclone serve docker', { skip: missing !== undefined && `missing: ${missing}` }, () => {
  let rclone: RclonePlugin | undefined;
  let store: DriverStore;
  // First: it must have ended when its directory is removed.
  after(async () => {
    await store?.close();
    assert.deepEqual(await rclone?.end(), missing === undefined ? [] : undefined, 'mounts were left');
  });
  const dir = tempDir({ after }, 'rclone');
  before(async () => {
    if (missing !== undefined) return;
    rclone = await startRclonePlugin(dir);
    const plugins = await LegacyPlugins.open({ socketDirs: [rclone.socketDir], specDirs: [] });
    store = await DriverStore.open({ plugins });
  });
  /**
   * rclone 1.60 locks itself up for good when it is asked to mount while it takes note of an unmount: its Mount waits for
   * its monitor, which waits for the lock that Mount has.
   */
  const turns = new KeyedMutex();

  /** Each volume has a place of its own in the backend: rclone would show one place as many volumes. */
  const backends: Record<string, (name: string) => Record<string, string>> = {
    memory: (name) => ({ remote: `:memory:${name}` }),
    local: (name) => {
      mkdirSync(join(dir, 'data', name), { recursive: true });
      return { remote: join(dir, 'data', name) };
    },
  };
  for (const [backend, place] of Object.entries(backends)) {
    const makeDriver = async (): Promise<VolumeDriver> => {
      const driver = unguarded(await store.get('rclone'));
      return {
        ...driver,
        create: ({ name }, call) =>
          driver.create({ name, options: { ...place(name), 'vfs-cache-mode': 'writes' } }, call),
        mount: (request, call) => turns.run('', async () => driver.mount(request, call)),
        unmount: (request, call) =>
          turns.run('', async () => {
            await driver.unmount(request, call);
            await delay(40);
          }),
      };
    };
    const checks = volumeDriverContract(makeDriver, {
      skip: { 'a volume that was removed is gone, and a new one of its name is empty': 'rclone never deletes data' },
    });
    const only = (name: string, body: () => Promise<void>) => it(name, { timeout: 60_000 }, body);
    registerChecks(`with the ${backend} backend`, checks, { describe, it: only });
  }

  it('mounts through FUSE while somebody holds the volume, and keeps its data in the backend', async () => {
    const driver = await store.get('rclone');
    const data = join(dir, 'data', 'direct');
    mkdirSync(data, { recursive: true });
    await driver.create({ name: 'direct', options: { type: 'alias', 'alias-remote': data } });
    const { mountpoint } = await driver.mount({ name: 'direct', id: 'one' });
    assert.equal(mountpoint, join(rclone?.baseDir ?? '', 'direct'));
    mkdirSync(join(mountpoint, 'made'));
    assert.deepEqual(readdirSync(data), ['made']);
    await driver.unmount({ name: 'direct', id: 'one' });
    assert.deepEqual(readdirSync(mountpoint), []);
    await driver.remove('direct');
    assert.deepEqual(readdirSync(data), ['made']);
  });
});
