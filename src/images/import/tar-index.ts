import { createReadStream } from 'node:fs';
import { type TarEntry, TarParser } from '../../archive/index.js';
import { engineError, quote } from '../../errors/index.js';
import { type CallOptions, throwIfAborted } from '../../util/signals.js';

/** Where an entry of an archive is. */
export type TarIndexEntry =
  | { readonly type: 'file'; readonly offset: number; readonly size: number }
  | { readonly type: 'link'; readonly target: string }
  | { readonly type: 'other' };

export type TarIndex = ReadonlyMap<string, TarIndexEntry>;

/** A source of images has few files; a root file system has at most so many that their names fit into memory. */
const MAX_ENTRIES = 2_000_000;
const CHUNK = 4 * 1024 * 1024;

/**
 * Notes where every entry of an uncompressed archive stands, in one pass. A name that leaves the archive or that two
 * files share is refused: another reader could take another file for the image. Throws BAD_ARCHIVE.
 */
export async function indexTar(path: string, call: CallOptions = {}): Promise<TarIndex> {
  const index = new Map<string, TarIndexEntry>();
  const parser: TarParser = new TarParser({
    onEntry: (entry) => addEntry(index, entry, parser.offset),
    onData: () => {},
    onEntryEnd: () => {},
  });
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK })) {
    throwIfAborted(call.signal);
    parser.push(chunk as Buffer);
  }
  parser.end();
  return index;
}

function addEntry(index: Map<string, TarIndexEntry>, entry: TarEntry, offset: number): void {
  const text = Buffer.from(entry.path, 'latin1').toString('utf8');
  const path = cleanPath(text);
  if (path === undefined) throw badEntry(text, 'leaves the archive');
  if (path === '') return;
  if (index.size >= MAX_ENTRIES) throw badEntry(text, `is entry number ${MAX_ENTRIES + 1}, more than are allowed`);
  const before = index.get(path);
  const found = located(entry, path, offset);
  if (before !== undefined && before.type !== 'other') throw badEntry(text, 'is there twice');
  index.set(path, found);
}

function located(entry: TarEntry, path: string, offset: number): TarIndexEntry {
  const target = Buffer.from(entry.linkPath, 'latin1').toString('utf8');
  switch (entry.type) {
    case 'file':
      // A sparse file's data is not in one piece; no image document or layer is stored so.
      return entry.sparse === undefined ? { type: 'file', offset, size: entry.size } : { type: 'other' };
    case 'hardlink':
      return { type: 'link', target: cleanPath(target) ?? '' };
    case 'symlink': {
      const slash = path.lastIndexOf('/');
      const beside = slash < 0 ? target : `${path.slice(0, slash)}/${target}`;
      return { type: 'link', target: target.startsWith('/') ? '' : (joinInside(beside) ?? '') };
    }
    default:
      return { type: 'other' };
  }
}

/** A relative path without `.` parts; `undefined` when it is absolute or has `..`. */
export function cleanPath(path: string): string | undefined {
  if (path.startsWith('/') || path.includes('\0')) return undefined;
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  return parts.includes('..') ? undefined : parts.join('/');
}

/** Follows `..` in a link's target; `undefined` when it leaves the archive. */
function joinInside(path: string): string | undefined {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) return undefined;
  }
  return parts.join('/');
}

function badEntry(path: string, problem: string): Error {
  return engineError('BAD_ARCHIVE', `tar archive: entry ${quote(path)} ${problem}`, {
    details: { entry: quote(path) },
  });
}
