import { EngineError, engineError, quote } from '../../errors/index.js';
import type { Operation } from './ports.js';

const UNCERTAIN = new Set(['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'CANCELED', 'ABORTED']);

/** True when a driver may have done what it was told, or may still be doing it, although the call failed. */
export function isUncertain(error: unknown): boolean {
  // One that answers nonsense has done something.
  return EngineError.is(error) && (UNCERTAIN.has(error.code) || error.reason === 'DRIVER_BAD_ANSWER');
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
