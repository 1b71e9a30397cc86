import { engineError, quote } from '../../errors/index.js';
import { SAFE_NAME } from '../../util/ids.js';

/** Throws LOCAL_VOLUME_BAD_NAME unless the local driver may make a directory of that name: Docker's rule, two characters at least. */
export function assertVolumeName(name: unknown): asserts name is string {
  if (typeof name === 'string' && SAFE_NAME.test(name) && name.length > 1) return;
  throw engineError('LOCAL_VOLUME_BAD_NAME', problemOf(name), { details: { field: 'name', value: quote(name) } });
}

function problemOf(name: unknown): string {
  if (typeof name === 'string' && name.length === 1) return `volume name ${quote(name)} is too short`;
  if (typeof name === 'string' && name.length > 128) return `volume name ${quote(name, 32)} is too long`;
  if (typeof name === 'string' && name.includes('/')) return `volume name ${quote(name)} looks like a path`;
  return `volume name ${quote(name)} is not a valid name`;
}
