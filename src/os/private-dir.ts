import { chmodSync, lstatSync, mkdirSync } from 'node:fs';
import { engineError, quote } from '../errors/index.js';

/**
 * Makes a directory (and its parents) that only its owner may enter, whatever the umask. One that exists must be a
 * real directory of this user; its mode is tightened to `mode`. Throws ROOT_NOT_OURS otherwise. Idempotent.
 */
export function makePrivateDir(path: string, mode = 0o700): void {
  mkdirSync(path, { recursive: true, mode });
  const stat = lstatSync(path);
  if (!stat.isDirectory() || stat.uid !== process.geteuid?.()) {
    throw engineError('ROOT_NOT_OURS', `directory ${quote(path)} belongs to uid ${stat.uid}`, {
      details: { path, uid: stat.uid },
    });
  }
  if ((stat.mode & 0o7777) !== mode) chmodSync(path, mode);
}
