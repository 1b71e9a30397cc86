import { lstatSync, readlinkSync } from 'node:fs';
import { posix } from 'node:path';

const MAX_LINKS = 40;

/** Where a path of the container leads, without leaving its root. */
export interface Located {
  /** Path as the container sees it, links resolved; a missing tail is kept as it was. */
  readonly inner: string;
  /** The same on the host. */
  readonly path: string;
  readonly kind: 'directory' | 'file' | 'other' | 'missing' | 'loop';
  /** A link climbed above the root; it was held there, as in a chroot. */
  readonly climbed: boolean;
  /** What is missing is named by a link on the way, not by the path itself. */
  readonly dangling: boolean;
  /** The walk came to a mount: `inner` is its place with the rest of the path behind it, unresolved. */
  readonly covered: boolean;
}

/**
 * Walks `path` component by component inside `root`, as a process in the container would. Costs one lstat each. Ends where
 * it comes to one of `mounts`: what is behind it is not in this tree.
 */
export function locateInRoot(root: string, path: string, mounts?: ReadonlyMap<string, unknown>): Located {
  const base = root === '/' ? '' : root;
  const todo = path.split('/').reverse();
  let inner = '/';
  let kind: Located['kind'] = 'directory';
  let links = 0;
  // Components on the stack from here up are of a link's text, those below of the path itself.
  let ofLink = Number.POSITIVE_INFINITY;
  let climbed = false;
  let missingLinkText = false;
  let isCovered = false;
  const at = (found: Located['kind']): Located => ({
    inner,
    path: base + inner,
    kind: found,
    climbed,
    dangling: found === 'missing' && missingLinkText,
    covered: isCovered,
  });
  while (todo.length > 0) {
    const part = todo.pop() as string;
    if (part === '' || part === '.') continue;
    if (part === '..') {
      climbed ||= inner === '/';
      inner = posix.dirname(inner);
      kind = 'directory';
      continue;
    }
    // A file on the way is the end: what would be below it can't exist.
    if (kind !== 'directory') return at('other');
    const next = inner === '/' ? `/${part}` : `${inner}/${part}`;
    if (mounts?.has(next)) {
      isCovered = true;
      inner = [next, ...todo.reverse()].join('/');
      return at('other');
    }
    const stat = lstatSync(base + next, { throwIfNoEntry: false });
    if (stat === undefined) {
      missingLinkText = todo.length >= ofLink;
      inner = posix.join(next, ...todo.reverse());
      return at('missing');
    }
    if (stat.isSymbolicLink()) {
      if (++links > MAX_LINKS) return at('loop');
      const link = readlinkSync(base + next);
      if (link.startsWith('/')) inner = '/';
      ofLink = Math.min(ofLink, todo.length);
      todo.push(...link.split('/').reverse());
      continue;
    }
    inner = next;
    kind = stat.isDirectory() ? 'directory' : stat.isFile() ? 'file' : 'other';
  }
  return at(kind);
}
