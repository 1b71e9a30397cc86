/** A process that uses local volumes until it ends or is killed. Arguments: root of a LocalBed, what to do, and for whom. */
import { join } from 'node:path';
import { readMountInfo } from '#src/os/index.js';
import { LocalVolumeDriver } from '#src/volumes/local/index.js';

const [root, what, id, count] = process.argv.slice(2) as [string, string, string | undefined, string];
const dir = join(root, 'volumes');
const driver = await LocalVolumeDriver.open({ dir, runDir: join(root, 'run') });
const options = { type: 'tmpfs', device: 'tmpfs', o: 'size=64k,mode=0700' };

if (what === 'lifecycle') {
  await driver.create({ name: 'plain', options: {} });
  await driver.create({ name: 'mem', options });
  await driver.mount({ name: 'mem', id: 'first' });
  await driver.mount({ name: 'mem', id: 'second' });
  await driver.unmount({ name: 'mem', id: 'first' });
  await driver.unmount({ name: 'mem', id: 'second' });
  await driver.remove('mem');
  await driver.remove('plain');
} else if (what === 'process') {
  // Of a type that is mounted by a process of its own.
  await driver.create({ name: 'ram', options: { type: 'ramfs', device: 'ramfs' } });
  await driver.mount({ name: 'ram', id: 'first' });
  await driver.unmount({ name: 'ram', id: 'first' });
  await driver.remove('ram');
} else {
  const path = join(dir, 'shared', '_data');
  for (let n = 0; n < Number(count); n++) {
    await driver.create({ name: 'shared', options });
    try {
      await driver.mount({ name: 'shared', id: id as string });
    } catch (error) {
      // Removed by another since.
      if ((error as { reason?: string }).reason === 'LOCAL_VOLUME_NOT_FOUND') continue;
      throw error;
    }
    const mounts = readMountInfo().filter((one) => one.mountPoint === path).length;
    if (mounts !== 1) throw new Error(`${mounts} mounts while ${id} holds it`);
    await driver.unmount({ name: 'shared', id: id as string });
    await driver.remove('shared').catch((error) => {
      if ((error as { reason?: string }).reason !== 'LOCAL_VOLUME_IN_USE') throw error;
    });
  }
}
await driver.close();
// Read by the test: how many steps there are to be killed at.
if (id === undefined) console.log((globalThis as { failpointCalls?: number }).failpointCalls);
