import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { syncDirectory } from './atomic-file.js';
import { ioError } from './io-error.js';

/**
 * Makes `path` and its missing parents, each 0700 whatever the umask; false when it was there. With `durable` the
 * new names survive a power cut.
 */
export function ensureDirectory(path: string, options: { readonly durable?: boolean } = {}): boolean {
  try {
    const first = mkdirSync(path, { recursive: true, mode: 0o700 });
    if (first === undefined) return false;
    for (let made = path; ; made = dirname(made)) {
      if ((statSync(made).mode & 0o777) !== 0o700) chmodSync(made, 0o700);
      if (options.durable) syncDirectory(dirname(made));
      if (made.length <= first.length) return true;
    }
  } catch (error) {
    throw ioError('make directory', path, error);
  }
}
