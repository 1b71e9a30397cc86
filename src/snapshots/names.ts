import { engineError, quote } from '../errors/index.js';

const KEY = /^[a-zA-Z0-9][a-zA-Z0-9_.:-]{0,199}$/;

/** Throws BAD_SNAPSHOT_KEY unless `key` may name a snapshot. */
export function assertSnapshotKey(field: string, key: unknown): asserts key is string {
  if (typeof key !== 'string' || !KEY.test(key)) {
    throw engineError('BAD_SNAPSHOT_KEY', `${field} ${quote(key)} is not a valid snapshot name`, {
      details: { field, value: quote(key) },
    });
  }
}

/** The directory name of a key: a colon separates paths in mount options, a plus can't occur in keys. */
export function encodeKey(key: string): string {
  return key.replaceAll(':', '+');
}

/** The key of a directory name; `undefined` for what no key makes. */
export function decodeKey(directoryName: string): string | undefined {
  const key = directoryName.replaceAll('+', ':');
  return KEY.test(key) && encodeKey(key) === directoryName ? key : undefined;
}
