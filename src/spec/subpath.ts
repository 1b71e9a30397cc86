import { posix } from 'node:path';
import { badField } from './fail.js';

/**
 * A path inside a volume in its normal form: relative, without `..`, not the volume's root itself. What is there is
 * looked up when it is mounted. Throws BAD_SUBPATH.
 */
export function checkSubpath(field: string, value: unknown): string {
  const bad = (why: string) => badField('BAD_SUBPATH', field, value, why);
  if (typeof value !== 'string') throw bad('is not a string');
  if (value.startsWith('/')) throw bad('is an absolute path');
  if (value.includes('\0')) throw bad('has a NUL byte');
  if (value.length > 4095) throw bad('is longer than 4095 characters');
  if (value.split('/').includes('..')) throw bad('contains ".."');
  const normal = posix.normalize(value).replace(/\/$/, '');
  if (normal === '' || normal === '.') throw bad('names nothing inside the volume');
  return normal;
}
