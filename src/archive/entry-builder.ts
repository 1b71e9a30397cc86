import { type PaxRecords, parsePaxTime } from './pax.js';
import { decimal, segmentsOfDecimals } from './sparse-map.js';
import type { SparseSegment, TarEntry, TarEntryType } from './tar-entry.js';
import type { RawHeader } from './tar-header.js';
import { parseTarNumber } from './tar-number.js';

/** PATH_MAX: a longer name can't be a path on Linux. */
export const MAX_NAME_BYTES = 4096;

/** -1 as an id means "leave as it is" to chown, so the highest one is out. */
const MAX_ID = 0xffff_fffe;

const TYPES: ReadonlyMap<string, TarEntryType> = new Map([
  ['0', 'file'],
  ['\0', 'file'],
  ['7', 'file'],
  ['S', 'file'],
  ['1', 'hardlink'],
  ['2', 'symlink'],
  ['3', 'char'],
  ['4', 'block'],
  ['5', 'directory'],
  ['6', 'fifo'],
]);

/** In global headers these would rename or resize entries; engines differ in heeding them, so nobody may use them. */
const NEVER_GLOBAL = /^(?:path|linkpath|size|GNU\.sparse\..*)$/;

const SCHILY_XATTR = 'SCHILY.xattr.';
const LIBARCHIVE_XATTR = 'LIBARCHIVE.xattr.';

/** An entry with what the parser needs to read its data. */
export interface BuiltEntry {
  readonly entry: TarEntry;
  /** Bytes in the archive, sparse map included. */
  readonly storedBytes: number;
  /** Where the sparse map is: known (`segments`, or the parser's own for old GNU), or at the head of the data. */
  readonly sparse: 'none' | 'known' | 'data';
  readonly segments?: SparseSegment[];
}

/** Collects the extended headers that stand before an entry and merges them into it. Problems are returned as text. */
export class EntryBuilder {
  readonly #global = new Map<string, Buffer>();
  #local: PaxRecords | undefined;
  #longName: string | undefined;
  #longLink: string | undefined;
  #gnuRealSize: number | undefined;

  /** True while an extended header waits for its entry. */
  get pending(): boolean {
    return this.#local !== undefined || this.#longName !== undefined || this.#longLink !== undefined;
  }

  takePax(records: PaxRecords, isGlobal: boolean): string | undefined {
    if (!isGlobal) {
      this.#local = records;
      return undefined;
    }
    if (records.sparsePairs.length > 0) return 'has a global PAX header with a sparse map';
    for (const [key, value] of records.values) {
      if (NEVER_GLOBAL.test(key)) return `has a global PAX header with the keyword ${key}`;
      if (value.length === 0) this.#global.delete(key);
      else this.#global.set(key, value);
    }
    // A hundred thousand distinct keywords can only be meant badly.
    return this.#global.size > 1000 ? 'has too many global PAX keywords' : undefined;
  }

  takeLongName(typeFlag: 'L' | 'K', data: Buffer): string | undefined {
    const nul = data.indexOf(0);
    const name = data.toString('latin1', 0, nul < 0 ? data.length : nul);
    if (name === '' || name.length > MAX_NAME_BYTES) return 'has a long name that is empty or too long';
    if (typeFlag === 'L') this.#longName = name;
    else this.#longLink = name;
    return undefined;
  }

  takeGnuRealSize(block: Buffer): boolean {
    this.#gnuRealSize = parseTarNumber(block, 483, 12);
    return this.#gnuRealSize >= 0;
  }

  /** Forgets what waits. */
  discard(): void {
    this.#local = undefined;
    this.#longName = undefined;
    this.#longLink = undefined;
    this.#gnuRealSize = undefined;
  }

  /** Merges what waits into the header's entry and forgets it. */
  build(header: RawHeader): BuiltEntry | string {
    const result =
      this.#local === undefined && this.#global.size === 0
        ? this.#merge(header, NO_PAX, [])
        : this.#buildWithPax(header);
    this.discard();
    return result;
  }

  #buildWithPax(header: RawHeader): BuiltEntry | string {
    const values = new Map(this.#global);
    for (const [key, value] of this.#local?.values ?? []) {
      // An empty value takes a keyword back, but an extended attribute may well be empty.
      if (value.length === 0 && !key.startsWith(SCHILY_XATTR)) values.delete(key);
      else values.set(key, value);
    }
    return this.#merge(header, values, this.#local?.sparsePairs ?? []);
  }

  #merge(header: RawHeader, pax: ReadonlyMap<string, Buffer>, sparsePairs: readonly string[]): BuiltEntry | string {
    const text = (key: string) => pax.get(key)?.toString('latin1');
    const stored = number(pax, 'size') ?? header.size;
    const uid = number(pax, 'uid') ?? header.uid;
    const gid = number(pax, 'gid') ?? header.gid;
    const devMajor = number(pax, 'SCHILY.devmajor') ?? header.devMajor;
    const devMinor = number(pax, 'SCHILY.devminor') ?? header.devMinor;
    if (!(stored >= 0)) return 'has a size that is no number';
    if (!(uid >= 0 && uid <= MAX_ID && gid >= 0 && gid <= MAX_ID)) return 'has an owner that no file can have';
    const mtimeText = text('mtime');
    const mtimeNs = mtimeText === undefined ? BigInt(header.mtime) * 1_000_000_000n : parsePaxTime(mtimeText);
    if (mtimeNs === undefined) return 'has a time that is no number';

    const sparse = sparseOf(header, pax, sparsePairs, this.#gnuRealSize);
    if (typeof sparse === 'string') return sparse;
    const path =
      this.#longName ?? (sparse.where === 'none' ? undefined : text('GNU.sparse.name')) ?? text('path') ?? header.path;
    const type = typeOf(header.typeFlag, path);
    if (type === undefined) return `has the unknown type ${JSON.stringify(header.typeFlag)}`;
    const isLink = type === 'symlink' || type === 'hardlink';
    const linkPath = isLink ? (this.#longLink ?? text('linkpath') ?? header.linkPath) : '';
    const isDevice = type === 'char' || type === 'block';
    if (isDevice && !(devMajor >= 0 && devMajor < 2 ** 32 && devMinor >= 0 && devMinor < 2 ** 32)) {
      return 'has a device number that no device can have';
    }
    const problem = nameProblem(path) ?? (isLink ? nameProblem(linkPath) : undefined);
    if (problem !== undefined) return problem;
    const xattrs = xattrsOf(pax);
    if (typeof xattrs === 'string') return xattrs;

    const entry: TarEntry = {
      path,
      type,
      mode: header.mode & 0o7777,
      uid,
      gid,
      size: type === 'file' ? (sparse.realSize ?? stored) : 0,
      mtimeNs,
      linkPath,
      devMajor: isDevice ? devMajor : 0,
      devMinor: isDevice ? devMinor : 0,
      xattrs,
    };
    // Only files have data, whatever the size field says: every engine reads other types so.
    if (type !== 'file') return { entry, storedBytes: 0, sparse: 'none' };
    return {
      entry,
      storedBytes: stored,
      sparse: sparse.where,
      ...(sparse.segments === undefined ? {} : { segments: sparse.segments }),
    };
  }
}

const NO_PAX: ReadonlyMap<string, Buffer> = new Map();
const NO_XATTRS: ReadonlyMap<string, Buffer> = new Map();

/** A PAX number; NaN when it is malformed, so that the range check that follows refuses it. */
function number(pax: ReadonlyMap<string, Buffer>, key: string): number | undefined {
  const value = pax.get(key);
  return value === undefined ? undefined : (decimal(value.toString('latin1')) ?? Number.NaN);
}

function typeOf(typeFlag: string, path: string): TarEntryType | undefined {
  const type = TYPES.get(typeFlag);
  // v7 has no type for directories.
  return type === 'file' && typeFlag !== 'S' && path.endsWith('/') ? 'directory' : type;
}

function nameProblem(name: string): string | undefined {
  if (name === '') return 'has an empty name';
  if (name.length > MAX_NAME_BYTES) return `has a name of ${name.length} bytes; the limit is ${MAX_NAME_BYTES}`;
  return name.includes('\0') ? 'has a NUL in a name' : undefined;
}

interface Sparse {
  readonly where: BuiltEntry['sparse'];
  readonly realSize?: number;
  readonly segments?: SparseSegment[];
}

function sparseOf(
  header: RawHeader,
  pax: ReadonlyMap<string, Buffer>,
  pairs: readonly string[],
  gnuRealSize: number | undefined,
): Sparse | string {
  if (header.typeFlag === 'S') {
    return gnuRealSize === undefined ? 'has a broken sparse map' : { where: 'known', realSize: gnuRealSize };
  }
  const version = `${pax.get('GNU.sparse.major') ?? ''}.${pax.get('GNU.sparse.minor') ?? ''}`;
  const map = pax.get('GNU.sparse.map')?.toString('latin1');
  if (version === '.' && map === undefined && pairs.length === 0) return { where: 'none' };
  const realSize = number(pax, 'GNU.sparse.realsize') ?? number(pax, 'GNU.sparse.size');
  if (realSize === undefined || Number.isNaN(realSize)) return 'has a sparse map without size';
  if (version === '1.0') return { where: 'data', realSize };
  if (version !== '.' && version !== '0.0' && version !== '0.1') return 'has a sparse map of an unknown version';
  const segments = segmentsOfDecimals(map === undefined ? pairs : map === '' ? [] : map.split(','));
  if (segments === undefined || (map !== undefined && map !== '' && map.split(',').length % 2 !== 0)) {
    return 'has a broken sparse map';
  }
  return { where: 'known', realSize, segments };
}

function xattrsOf(pax: ReadonlyMap<string, Buffer>): ReadonlyMap<string, Buffer> | string {
  let xattrs: Map<string, Buffer> | undefined;
  for (const [key, value] of pax) {
    if (key.startsWith(SCHILY_XATTR)) {
      xattrs ??= new Map();
      xattrs.set(key.slice(SCHILY_XATTR.length), value);
    } else if (key.startsWith(LIBARCHIVE_XATTR)) {
      const name = key
        .slice(LIBARCHIVE_XATTR.length)
        .replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
      xattrs ??= new Map();
      if (!pax.has(SCHILY_XATTR + name)) xattrs.set(name, Buffer.from(value.toString('latin1'), 'base64'));
    }
  }
  for (const name of xattrs?.keys() ?? []) {
    if (name === '' || name.length > 255 || name.includes('\0'))
      return 'has an extended attribute with an impossible name';
  }
  return xattrs ?? NO_XATTRS;
}
