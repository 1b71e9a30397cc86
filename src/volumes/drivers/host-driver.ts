import { engineError, quote } from '../../errors/index.js';
import { SAFE_NAME } from '../../util/ids.js';
import type { VolumeDriver } from '../volume-driver.js';

const METHODS = ['create', 'remove', 'mount', 'unmount', 'get', 'list'] as const;

/** Throws BAD_DRIVER for what a program gave as a driver and is none. The driver is not called. */
export function assertVolumeDriver(driver: unknown): asserts driver is VolumeDriver {
  if (typeof driver !== 'object' || driver === null) throw badDriver('driver', driver, 'is not an object');
  const { name, scope } = driver as Record<keyof VolumeDriver, unknown>;
  if (typeof name !== 'string' || !SAFE_NAME.test(name)) {
    throw badDriver(
      'driver.name',
      name,
      'is not 1 to 128 characters of a-z A-Z 0-9 _ . - that start with a letter or digit',
    );
  }
  if (scope !== undefined && scope !== 'local' && scope !== 'global') {
    throw badDriver('driver.scope', scope, 'is neither local nor global');
  }
  for (const method of METHODS) {
    const value = (driver as Record<string, unknown>)[method];
    if (typeof value !== 'function') throw badDriver(`driver.${method}`, value, 'is not a function');
  }
}

function badDriver(field: string, value: unknown, fault: string) {
  return engineError('BAD_DRIVER', `field ${field} ${quote(value)} ${fault}`, {
    details: { field, value: quote(value) },
  });
}
