import { badLayer } from './archive-error.js';

/**
 * The components of a path in a layer: absolute paths count from the root, `.` and empty ones vanish, `..` is taken
 * back. A path that leaves the root throws BAD_LAYER. `entryPath` is for the message.
 */
export function splitLayerPath(path: string, entryPath: string): string[] {
  const components: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') components.push(part);
    else if (components.pop() === undefined) {
      throw badLayer(
        entryPath,
        path === entryPath ? 'leaves the root directory' : 'links to a path outside the root directory',
      );
    }
  }
  return components;
}

/** What the name of a layer entry says about whiteouts. */
export type Whiteout =
  | { readonly kind: 'none' }
  /** Bookkeeping of aufs that old layers have: ignored. */
  | { readonly kind: 'ignored' }
  | { readonly kind: 'opaque' }
  | { readonly kind: 'hide'; readonly name: string };

const PREFIX = '.wh.';
const OPAQUE = '.wh..wh..opq';
const NONE: Whiteout = { kind: 'none' };

/** Reads the whiteout that an entry stands for. Throws BAD_LAYER for names that could hide `.`, `..` or nothing. */
export function whiteoutOf(components: readonly string[], entryPath: string): Whiteout {
  // Nearly no entry has one: look at the whole path before its parts.
  if (!entryPath.includes(PREFIX)) return NONE;
  const last = components.length - 1;
  for (let i = 0; i <= last; i++) {
    const component = components[i] as string;
    if (!component.startsWith(PREFIX)) continue;
    if (i === last && component === OPAQUE) return { kind: 'opaque' };
    if (component.startsWith('.wh..wh.')) return { kind: 'ignored' };
    if (i < last) throw badLayer(entryPath, 'is inside a whiteout');
    const name = component.slice(PREFIX.length);
    if (name === '' || name === '.' || name === '..') throw badLayer(entryPath, 'is a whiteout of no name');
    return { kind: 'hide', name };
  }
  return NONE;
}
