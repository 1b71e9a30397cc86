import { chmodSync, chownSync, lstatSync, mkdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { engineError, quote } from '../../errors/index.js';
import { ensureDirectory, ioError } from '../../state/index.js';

/** Directories of the local driver. Names that begin with a dot are no volumes. */
export interface LocalPaths {
  /** `<dir>`, free of links: what mountinfo calls it. */
  readonly dir: string;
  /** Volumes being made, one directory per maker. */
  readonly staging: string;
  /** Volumes being deleted. */
  readonly trash: string;
  /** Mode of `dir` and of each volume's own directory. */
  readonly parentMode: number;
}

/** Makes the driver's directories. Throws ROOT_NOT_OURS when somebody else owns them. */
export function openLocalPaths(dir: string, parentMode: number): LocalPaths {
  ensureDirectory(dir, { durable: true });
  const real = realpathSync(dir);
  const stat = lstatSync(real);
  if (stat.uid !== process.geteuid?.()) {
    throw engineError('ROOT_NOT_OURS', `directory ${quote(real)} belongs to uid ${stat.uid}`, {
      details: { path: real, uid: stat.uid },
    });
  }
  if ((stat.mode & 0o7777) !== parentMode) chmodSync(real, parentMode);
  const paths = { dir: real, staging: join(real, '.staging'), trash: join(real, '.trash'), parentMode };
  ensureDirectory(paths.staging);
  ensureDirectory(paths.trash);
  return paths;
}

/** Makes one directory with exactly this mode and owner, whatever the umask. */
export function makeDirectory(
  path: string,
  mode: number,
  owner?: { readonly uid: number; readonly gid: number },
): void {
  try {
    mkdirSync(path, { mode });
    chmodSync(path, mode);
    if (owner !== undefined) chownSync(path, owner.uid, owner.gid);
  } catch (error) {
    throw ioError('make directory', path, error);
  }
}
