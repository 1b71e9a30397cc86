import { closeSync, openSync, readSync } from 'node:fs';

/** What the loader needs to know of an executable or library. */
export interface ElfFile {
  readonly bits: 32 | 64;
  readonly machine: number;
  /** Program interpreter (the loader); none in libraries and static executables. */
  readonly interpreter: string | undefined;
  /** DT_NEEDED: libraries by name or path. */
  readonly needed: readonly string[];
  /** DT_RPATH, split at colons; ignored by loaders when there is a RUNPATH. */
  readonly rpath: readonly string[];
  readonly runpath: readonly string[];
}

/** Reads bytes at an offset; fewer than asked for at the end of the file. */
export type ReadAt = (offset: number, length: number) => Buffer;

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_INTERP = 3;
const DT_NULL = 0;
const DT_NEEDED = 1;
const DT_STRTAB = 5;
const DT_STRSZ = 10;
const DT_RPATH = 15;
const DT_RUNPATH = 29;
const MAX_PROGRAM_HEADERS = 4096;
const MAX_SECTION = 64 * 1024 * 1024;

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly fileSize: number;
}

/** Numbers of this file's class and byte order. */
interface Layout {
  readonly bits: 32 | 64;
  u16(buffer: Buffer, at: number): number;
  u32(buffer: Buffer, at: number): number;
  /** An address-sized number. */
  word(buffer: Buffer, at: number): number;
}

/** Parses the ELF file at `path`; `undefined` when it is no ELF executable or library, or is damaged. */
export function readElf(path: string): ElfFile | undefined {
  const fd = openSync(path, 'r');
  try {
    return parseElf((offset, length) => {
      const buffer = Buffer.alloc(length);
      return buffer.subarray(0, readSync(fd, buffer, 0, length, offset));
    });
  } finally {
    closeSync(fd);
  }
}

export function parseElf(readAt: ReadAt): ElfFile | undefined {
  const head = readAt(0, 64);
  if (head.length < 52 || head.readUInt32BE(0) !== 0x7f454c46) return undefined;
  const layout = layoutOf(head);
  if (layout === undefined || (layout.bits === 64 && head.length < 64)) return undefined;
  const segments = readSegments(readAt, head, layout);
  if (segments === undefined) return undefined;

  const base = { bits: layout.bits, machine: layout.u16(head, 18) };
  const interp = segments.find((segment) => segment.type === PT_INTERP);
  const interpreter = interp === undefined ? undefined : cString(readPart(readAt, interp.offset, interp.fileSize), 0);
  const dynamic = readDynamic(readAt, segments, layout);
  return { ...base, interpreter, ...dynamic };
}

function layoutOf(head: Buffer): Layout | undefined {
  const little = head[5] === 1;
  if (!little && head[5] !== 2) return undefined;
  const u16 = (b: Buffer, at: number) => (little ? b.readUInt16LE(at) : b.readUInt16BE(at));
  const u32 = (b: Buffer, at: number) => (little ? b.readUInt32LE(at) : b.readUInt32BE(at));
  if (head[4] === 1) return { bits: 32, u16, u32, word: u32 };
  if (head[4] !== 2) return undefined;
  return {
    bits: 64,
    u16,
    u32,
    word: (b, at) => Number(little ? b.readBigUInt64LE(at) : b.readBigUInt64BE(at)),
  };
}

function readSegments(readAt: ReadAt, head: Buffer, layout: Layout): Segment[] | undefined {
  const is64 = layout.bits === 64;
  const start = layout.word(head, is64 ? 32 : 28);
  const entrySize = layout.u16(head, is64 ? 54 : 42);
  const count = layout.u16(head, is64 ? 56 : 44);
  if (count > MAX_PROGRAM_HEADERS || (count > 0 && entrySize < (is64 ? 56 : 32))) return undefined;
  const table = readPart(readAt, start, entrySize * count);
  if (table.length < entrySize * count) return undefined;
  return Array.from({ length: count }, (_, index) => {
    const at = index * entrySize;
    return {
      type: layout.u32(table, at),
      offset: layout.word(table, at + (is64 ? 8 : 4)),
      address: layout.word(table, at + (is64 ? 16 : 8)),
      fileSize: layout.word(table, at + (is64 ? 32 : 16)),
    };
  });
}

function readDynamic(readAt: ReadAt, segments: readonly Segment[], layout: Layout) {
  const none = { needed: [], rpath: [], runpath: [] };
  const dynamic = segments.find((segment) => segment.type === PT_DYNAMIC);
  if (dynamic === undefined) return none;
  const word = layout.bits / 8;
  const table = readPart(readAt, dynamic.offset, dynamic.fileSize);
  const entries: [tag: number, value: number][] = [];
  for (let at = 0; at + 2 * word <= table.length; at += 2 * word) {
    const tag = layout.word(table, at);
    if (tag === DT_NULL) break;
    entries.push([tag, layout.word(table, at + word)]);
  }
  const firstOf = (tag: number) => entries.find(([found]) => found === tag)?.[1];
  const address = firstOf(DT_STRTAB);
  const load = segments.find(
    ({ type, address: start, fileSize }) =>
      type === PT_LOAD && address !== undefined && address >= start && address < start + fileSize,
  );
  if (address === undefined || load === undefined) return none;
  const strings = readPart(readAt, load.offset + (address - load.address), firstOf(DT_STRSZ) ?? 0);
  const paths = (tag: number) => {
    const offset = firstOf(tag);
    return offset === undefined
      ? []
      : cString(strings, offset)
          .split(':')
          .filter((path) => path !== '');
  };
  return {
    needed: entries.filter(([tag]) => tag === DT_NEEDED).map(([, offset]) => cString(strings, offset)),
    rpath: paths(DT_RPATH),
    runpath: paths(DT_RUNPATH),
  };
}

/** A part of the file with a size that the file itself claims: never more than a cap, nothing for absurd offsets. */
function readPart(readAt: ReadAt, offset: number, length: number): Buffer {
  if (!Number.isSafeInteger(offset) || length <= 0 || length > MAX_SECTION) return Buffer.alloc(0);
  return readAt(offset, length);
}

function cString(buffer: Buffer, start: number): string {
  if (start >= buffer.length) return '';
  const end = buffer.indexOf(0, start);
  return buffer.toString('utf8', start, end < 0 ? buffer.length : end);
}
