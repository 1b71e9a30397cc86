import type { MountVolumeOptions } from './types.js';
import type { VolumeRecord } from './volume-record.js';

/** Attributes as Docker names them. */
export function volumeAttributes(record: Pick<VolumeRecord, 'driver'>): Record<string, string> {
  return { driver: record.driver };
}

export function mountAttributes(
  driver: string,
  { holder, destination, readOnly, propagation }: MountVolumeOptions,
): Record<string, string> {
  return {
    driver,
    container: holder.id,
    ...(destination !== undefined && { destination }),
    'read/write': String(readOnly !== true),
    ...(propagation !== undefined && { propagation }),
  };
}

export function unmountAttributes(driver: string, container: string): Record<string, string> {
  return { driver, container };
}
