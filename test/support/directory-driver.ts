import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { VolumeDriver } from '#src/volumes/volume-driver.js';

/** A volume driver as a host writes it: volumes are directories. */
export function directoryDriver(dir: string, name = 'dirs'): VolumeDriver {
  const volumeOf = (volume: string) => ({
    name: volume,
    mountpoint: join(dir, volume),
    createdAt: statSync(join(dir, volume)).ctime,
  });
  const list = () => readdirSync(dir).map(volumeOf);
  return {
    name,
    create: ({ name }) => void mkdirSync(join(dir, name), { recursive: true }),
    remove: (name) => rmSync(join(dir, name), { recursive: true, force: true }),
    mount: ({ name }) => ({ mountpoint: statSync(join(dir, name)) && join(dir, name) }),
    unmount: () => {},
    get: (name) => list().find((volume) => volume.name === name),
    list,
  };
}
