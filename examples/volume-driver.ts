// A volume driver that is an object of this program: no plugin, no socket. It keeps each volume in a directory.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Engine, type VolumeDriver } from 'caisson';
import { examplePlaces } from './support/example-places.js';

const home = mkdtempSync(join(tmpdir(), 'caisson-e-shelf-'));
process.once('exit', () => rmSync(home, { recursive: true, force: true }));

const shelf: VolumeDriver = {
  name: 'shelf',
  create({ name }) {
    mkdirSync(join(home, name), { recursive: true });
  },
  remove(name) {
    rmSync(join(home, name), { recursive: true, force: true });
  },
  get(name) {
    return existsSync(join(home, name)) ? { name, mountpoint: join(home, name) } : undefined;
  },
  list() {
    return readdirSync(home).map((name) => ({ name }));
  },
  mount({ name }) {
    return { mountpoint: join(home, name) };
  },
  unmount() {},
};

await using engine = await Engine.open({ ...examplePlaces(), volumeDrivers: [shelf] });
await engine.images.fromHost({ executables: ['sh', 'cat'], reference: 'example/shell' });

await engine.volumes.create({ name: 'notes', driver: 'shelf' });
await engine.run('example/shell', ['sh', '-c', 'echo written in a container > /notes/first'], {
  mounts: [{ type: 'volume', source: 'notes', target: '/notes' }],
  check: true,
});
console.log(`the driver's directory has: ${readFileSync(join(home, 'notes/first'), 'utf8').trim()}`);

await engine.volumes.remove('notes');
console.log(`left on the shelf: ${readdirSync(home).length}`);
