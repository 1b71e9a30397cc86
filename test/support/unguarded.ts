import type { GuardedDriver } from '#src/volumes/drivers/index.js';
import type { VolumeDriver } from '#src/volumes/volume-driver.js';

/** A guarded driver in the form that a host's driver has, for the contract suite. */
export function unguarded(driver: GuardedDriver): VolumeDriver {
  return {
    name: 'guarded',
    create: (request, call) => driver.create(request, call),
    remove: (name, call) => driver.remove(name, call),
    mount: (request, call) => driver.mount(request, call),
    unmount: (request, call) => driver.unmount(request, call),
    get: (name, call) => driver.get(name, call),
    list: (call) => driver.list(call),
  };
}
