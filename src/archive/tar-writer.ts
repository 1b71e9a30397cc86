import { engineError, quote } from '../errors/index.js';
import { byteStringToBuffer, byteStringToText } from './byte-string.js';
import { formatPaxTime, paxRecord } from './pax.js';
import { BLOCK_SIZE, paddingOf, type TarEntry, type TarEntryType } from './tar-entry.js';
import { writeOctal } from './tar-number.js';

const TYPE_FLAGS: Readonly<Record<TarEntryType, string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  char: '3',
  block: '4',
  directory: '5',
  fifo: '6',
};

const ZEROS = Buffer.alloc(2 * BLOCK_SIZE);
const NON_ASCII = /[^\x20-\x7e]/;

/** The two zero blocks that end an archive. */
export const TAR_END: Buffer = ZEROS;

/** Zeros from the end of `size` bytes of data to the next block. */
export function tarPadding(size: number): Buffer {
  return ZEROS.subarray(0, paddingOf(size));
}

/**
 * The header of an entry: one ustar block, with a PAX header before it only where ustar can't say it (long or non-ASCII
 * names, big numbers, fractions of a second, extended attributes). The same entry always gives the same bytes.
 * `entry.sparse` is not written: the data that follows is the whole file, `size` bytes.
 */
export function encodeTarHeader(entry: TarEntry): Buffer {
  const pax: Buffer[] = [];
  const add = (key: string, text: string) => pax.push(paxRecord(key, byteStringToBuffer(text)));
  const block = Buffer.alloc(BLOCK_SIZE);
  const path = entry.type === 'directory' && !entry.path.endsWith('/') ? `${entry.path}/` : entry.path;
  if (!writePath(block, path)) add('path', path);
  if (!writeName(block, 157, 100, entry.linkPath)) add('linkpath', entry.linkPath);
  writeOctal(block, 100, 8, entry.mode & 0o7777);
  if (!writeOctal(block, 108, 8, entry.uid)) addNumber(block, 108, 8, () => add('uid', String(entry.uid)));
  if (!writeOctal(block, 116, 8, entry.gid)) addNumber(block, 116, 8, () => add('gid', String(entry.gid)));
  const size = entry.type === 'file' ? entry.size : 0;
  if (!writeOctal(block, 124, 12, size)) addNumber(block, 124, 12, () => add('size', String(size)));
  const isWhole = entry.mtimeNs % 1_000_000_000n === 0n;
  const seconds = Number(
    (entry.mtimeNs - (((entry.mtimeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n)) / 1_000_000_000n,
  );
  if (!writeOctal(block, 136, 12, seconds) || !isWhole) {
    if (seconds < 0 || seconds > 0o77777777777) writeOctal(block, 136, 12, 0);
    add('mtime', formatPaxTime(entry.mtimeNs));
  }
  if (entry.type === 'char' || entry.type === 'block') writeDevice(block, entry, add);
  for (const [name, value] of [...entry.xattrs].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (name === '' || name.includes('='))
      throw badEntry(entry, `has an extended attribute that tar can't name: ${quote(name)}`);
    pax.push(paxRecord(`SCHILY.xattr.${name}`, value));
  }
  seal(block, TYPE_FLAGS[entry.type]);
  if (pax.length === 0) return block;
  const records = Buffer.concat(pax);
  const header = Buffer.alloc(BLOCK_SIZE);
  writeName(header, 0, 100, 'PaxHeaders/entry');
  writeOctal(header, 100, 8, 0o644);
  writeOctal(header, 108, 8, 0);
  writeOctal(header, 116, 8, 0);
  writeOctal(header, 124, 12, records.length);
  writeOctal(header, 136, 12, 0);
  seal(header, 'x');
  return Buffer.concat([header, records, tarPadding(records.length), block]);
}

function addNumber(block: Buffer, offset: number, length: number, add: () => void): void {
  writeOctal(block, offset, length, 0);
  add();
}

function writeDevice(block: Buffer, entry: TarEntry, add: (key: string, text: string) => void): void {
  if (!writeOctal(block, 329, 8, entry.devMajor))
    addNumber(block, 329, 8, () => add('SCHILY.devmajor', String(entry.devMajor)));
  if (!writeOctal(block, 337, 8, entry.devMinor))
    addNumber(block, 337, 8, () => add('SCHILY.devminor', String(entry.devMinor)));
}

/** Writes name and prefix; false when the path needs a PAX record (the name field then holds what fits). */
function writePath(block: Buffer, path: string): boolean {
  if (writeName(block, 0, 100, path)) return true;
  if (NON_ASCII.test(path)) return false;
  for (let slash = path.indexOf('/'); slash > 0 && slash <= 155; slash = path.indexOf('/', slash + 1)) {
    const name = path.slice(slash + 1);
    if (name === '' || name.length > 100) continue;
    block.fill(0, 0, 100);
    block.write(name, 0, 'latin1');
    block.write(path.slice(0, slash), 345, 'latin1');
    return true;
  }
  return false;
}

function writeName(block: Buffer, offset: number, length: number, name: string): boolean {
  const isPlain = !NON_ASCII.test(name) && name.length <= length;
  block.write(isPlain ? name : name.slice(0, length).replace(/[^\x20-\x7e]/g, '_'), offset, 'latin1');
  return isPlain;
}

function seal(block: Buffer, typeFlag: string): void {
  block.write(typeFlag, 156, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  block.fill(0x20, 148, 156);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
}

/** What a `TarWriter` needs of a stream. */
export interface TarDestination {
  /** Resolves when the destination is ready for more. */
  write(chunk: Uint8Array): Promise<void> | void;
}

/**
 * Writes a tar archive entry by entry; the caller sorts. Reproducible: the same entries and data give the same bytes.
 */
export class TarWriter {
  readonly #destination: TarDestination;

  constructor(destination: TarDestination) {
    this.#destination = destination;
  }

  /** Writes an entry and, for a file, exactly `entry.size` bytes of `data`. Throws BAD_SOURCE when there are more or fewer. */
  async add(entry: TarEntry, data?: Uint8Array | AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
    await this.#destination.write(encodeTarHeader(entry));
    if (entry.type !== 'file') return;
    let written = 0;
    for await (const chunk of data === undefined ? [] : data instanceof Uint8Array ? [data] : data) {
      written += chunk.length;
      if (written > entry.size) throw badEntry(entry, `has more data than its size of ${entry.size} bytes`);
      await this.#destination.write(chunk);
    }
    if (written < entry.size)
      throw badEntry(entry, `has ${written} bytes of data, fewer than its size of ${entry.size}`);
    const padding = tarPadding(entry.size);
    if (padding.length > 0) await this.#destination.write(padding);
  }

  /** Ends the archive; the destination stays open. */
  async finish(): Promise<void> {
    await this.#destination.write(TAR_END);
  }
}

function badEntry(entry: TarEntry, problem: string): Error {
  const path = byteStringToText(entry.path);
  return engineError('BAD_SOURCE', `tar entry ${quote(path)} ${problem}`, { details: { entry: path } });
}

/** One entry and its data, for `packTar`. */
export interface TarItem {
  readonly entry: TarEntry;
  readonly data?: Uint8Array | AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/** The bytes of an archive of `items`, produced as they are read. Throws as `TarWriter.add`. */
export async function* packTar(
  items: AsyncIterable<TarItem> | Iterable<TarItem>,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const { entry, data } of items) {
    yield encodeTarHeader(entry);
    if (entry.type !== 'file') continue;
    let written = 0;
    for await (const chunk of data === undefined ? [] : data instanceof Uint8Array ? [data] : data) {
      written += chunk.length;
      if (written > entry.size) throw badEntry(entry, `has more data than its size of ${entry.size} bytes`);
      yield chunk;
    }
    if (written < entry.size)
      throw badEntry(entry, `has ${written} bytes of data, fewer than its size of ${entry.size}`);
    if (paddingOf(entry.size) > 0) yield tarPadding(entry.size);
  }
  yield TAR_END;
}
