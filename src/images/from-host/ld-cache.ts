import { readFileSync } from 'node:fs';

const MAGIC = 'glibc-ld.so.cache1.1';
const HEADER = 48;
const ENTRY = 24;

/** The library paths that glibc's ld.so.cache names, by library name, in the cache's order; empty where there is none. */
export function readLdCache(path = '/etc/ld.so.cache'): ReadonlyMap<string, readonly string[]> {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch {
    return new Map();
  }
  return parseLdCache(bytes);
}

/** Entries for special processor features are left out: an image may run on another machine. */
export function parseLdCache(bytes: Buffer): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  // An old-format table may stand before the one we read; offsets count from our header.
  const start = bytes.indexOf(MAGIC, 0, 'latin1');
  if (start < 0) return found;
  const cache = bytes.subarray(start);
  if (cache.length < HEADER) return found;
  const little = cache.readUInt8(28) !== 3;
  const u32 = (at: number) => (little ? cache.readUInt32LE(at) : cache.readUInt32BE(at));
  const count = Math.min(u32(20), Math.floor((cache.length - HEADER) / ENTRY));
  for (let index = 0; index < count; index++) {
    const at = HEADER + index * ENTRY;
    if (u32(at + 16) !== 0 || u32(at + 20) !== 0) continue;
    const name = cString(cache, u32(at + 4));
    const value = cString(cache, u32(at + 8));
    if (name === '' || !value.startsWith('/')) continue;
    const paths = found.get(name);
    if (paths === undefined) found.set(name, [value]);
    else paths.push(value);
  }
  return found;
}

function cString(buffer: Buffer, start: number): string {
  const end = buffer.indexOf(0, start);
  return start >= buffer.length || end < 0 ? '' : buffer.toString('utf8', start, end);
}
