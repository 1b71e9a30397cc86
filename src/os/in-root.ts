import { lstatSync, readlinkSync } from 'node:fs';
import { posix } from 'node:path';
import { engineError, quote } from '../errors/index.js';
import { errnoOf } from './syscalls/index.js';

const MAX_LINKS = 255;

/**
 * Resolves `path` as a process with root directory `root` would see it: symbolic links, absolute or with `..`, never
 * leave `root`. A tail that does not exist is kept as it is. The result is only as good as the tree is still: resolve
 * again (or hold a descriptor) where somebody else writes to it.
 *
 * Throws BAD_SOURCE for a loop of links.
 */
export function resolveInRoot(root: string, path: string): string {
  const base = root === '/' ? '' : root;
  let inside = '/';
  let links = 0;
  const todo = path.split('/').reverse();
  while (todo.length > 0) {
    const part = todo.pop() as string;
    if (part === '' || part === '.') continue;
    if (part === '..') {
      inside = posix.dirname(inside);
      continue;
    }
    const next = posix.join(inside, part);
    const link = linkTarget(base + next);
    if (link === undefined) {
      inside = next;
      continue;
    }
    if (++links > MAX_LINKS)
      throw engineError('BAD_SOURCE', `path ${quote(path)} is a loop of symbolic links`, { details: { path } });
    if (link.startsWith('/')) inside = '/';
    todo.push(...link.split('/').reverse());
  }
  return inside === '/' ? root : base + inside;
}

function linkTarget(path: string): string | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ? readlinkSync(path) : undefined;
  } catch (error) {
    // Below a file there is nothing either.
    if (errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}
