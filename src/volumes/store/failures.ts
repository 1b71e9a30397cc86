import { EngineError, engineError, quote } from '../../errors/index.js';
import type { CallOptions } from '../../util/signals.js';
import type { DriverVolume } from '../volume-driver.js';
import type { Operation, StoreDriver } from './ports.js';

const UNCERTAIN = new Set(['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'CANCELED', 'ABORTED']);

/** True when a driver may have done what it was told, or may still be doing it, although the call failed. */
export function isUncertain(error: unknown): boolean {
  // One that answers nonsense has done something.
  return EngineError.is(error) && (UNCERTAIN.has(error.code) || error.reason === 'DRIVER_BAD_ANSWER');
}

export function isDiskFull(error: unknown): boolean {
  return EngineError.is(error, 'RESOURCE_EXHAUSTED', 'DISK_FULL');
}

export function notFound(volume: string): Error {
  return engineError('VOLUME_NOT_FOUND', `volume ${quote(volume)} does not exist`, { details: { volume } });
}

export function busy(volume: string, what: string, owner: Operation | undefined, timeoutMs: number): Error {
  const by = owner === undefined ? '' : ` by process ${owner.process.pid}`;
  return engineError('VOLUME_BUSY', `volume ${quote(volume)} is ${what}${by}, for more than ${timeoutMs} ms`, {
    details: { volume, what, ...(owner !== undefined && { owner: owner.process }) },
  });
}

/** `undefined` also from a driver that refuses the name itself: it has no volume of it. */
export async function getOrRefused(
  driver: StoreDriver,
  name: string,
  call: CallOptions,
): Promise<DriverVolume | undefined> {
  try {
    return await driver.get(name, call);
  } catch (error) {
    if (EngineError.is(error, 'INVALID_ARGUMENT')) return undefined;
    throw error;
  }
}
