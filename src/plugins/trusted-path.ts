import { lstatSync, readlinkSync, type Stats } from 'node:fs';
import { dirname, join } from 'node:path';
import { engineError, quote } from '../errors/index.js';

const MAX_LINKS = 40;

/**
 * Refuses a path that anybody but root, us and `trustedUids` could have put there or could exchange: each directory on
 * the way, and behind each link on the way, must be theirs and writable by nobody else (a sticky one, like /tmp, may
 * be writable when what we go on to is theirs), and so must be the file itself. Gives the file's facts; `undefined` when
 * nothing is there. Throws PLUGIN_UNTRUSTED, or Node's error.
 */
export function checkTrustedPath(path: string, trustedUids: readonly number[]): Stats | undefined {
  const trusts = (uid: number) => uid === 0 || uid === process.geteuid?.() || trustedUids.includes(uid);
  const refuse = (at: string, problem: string) =>
    engineError('PLUGIN_UNTRUSTED', `${quote(at)} ${problem}`, { details: { path: at } });
  const rest = path.split('/').filter((part) => part !== '' && part !== '.');
  let at = '/';
  let links = 0;
  let found: Stats | undefined = lstatSync('/');
  for (let part = rest.shift(); part !== undefined; part = rest.shift()) {
    if (part === '..') {
      at = dirname(at);
      continue;
    }
    at = join(at, part);
    found = lstatSync(at, { throwIfNoEntry: false });
    if (found === undefined) return undefined;
    if (!trusts(found.uid)) throw refuse(at, `belongs to uid ${found.uid}`);
    if (found.isSymbolicLink()) {
      if (++links > MAX_LINKS) throw refuse(path, 'has too many links on its way');
      const target = readlinkSync(at);
      rest.unshift(...target.split('/').filter((name) => name !== '' && name !== '.'));
      at = target.startsWith('/') ? '/' : dirname(at);
    } else if (found.isDirectory()) {
      if (!othersCanReplace(found)) continue;
      throw refuse(at, `is a directory that others may write (mode ${(found.mode & 0o7777).toString(8)})`);
    } else if (found.isFile() && (found.mode & 0o022) !== 0) {
      throw refuse(at, `is a file that others may write (mode ${(found.mode & 0o7777).toString(8)})`);
    }
  }
  return found;
}

/** In a sticky directory nobody can rename or remove what is not theirs. Group root is as good as root. */
function othersCanReplace(directory: Stats): boolean {
  if ((directory.mode & 0o1000) !== 0) return false;
  return (directory.mode & 0o002) !== 0 || ((directory.mode & 0o020) !== 0 && directory.gid !== 0);
}
