import { BLOCK_SIZE } from './tar-entry.js';
import { parseTarNumber } from './tar-number.js';

/** A 512-byte header block as it stands, before PAX and GNU extensions are merged in. */
export interface RawHeader {
  /** The type character: '0', '5', 'x', 'L', … */
  readonly typeFlag: string;
  readonly path: string;
  readonly linkPath: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly devMajor: number;
  readonly devMinor: number;
}

const ASCII = /^[\x20-\x7e]*$/;

/** True for a block of zeros. */
export function isZeroBlock(block: Uint8Array): boolean {
  for (let i = 0; i < BLOCK_SIZE; i++) if (block[i] !== 0) return false;
  return true;
}

/** Decodes a header block of v7, ustar, star or GNU tar; a string says what is wrong. */
export function decodeHeader(block: Buffer): RawHeader | string {
  if (!checksumMatches(block)) return 'has a header with a wrong checksum';
  const typeFlag = String.fromCharCode(block[156] as number);
  const magic = block.toString('latin1', 257, 265);
  const isUstar = magic === 'ustar\x0000';
  const isGnu = magic === 'ustar  \0';
  const isPosixLike = isUstar || magic.startsWith('ustar\0');
  let path = textField(block, 0, 100);
  if (isPosixLike) {
    const isStar = block.toString('latin1', 508, 512) === 'tar\0';
    const prefix = textField(block, 345, isStar ? 131 : 155);
    if (prefix !== '') path = `${prefix}/${path}`;
  } else if (isGnu && typeFlag !== 'S') {
    path = oldGoPrefix(block, path);
  }
  const header: RawHeader = {
    typeFlag,
    path,
    linkPath: textField(block, 157, 100),
    mode: parseTarNumber(block, 100, 8),
    uid: parseTarNumber(block, 108, 8),
    gid: parseTarNumber(block, 116, 8),
    size: parseTarNumber(block, 124, 12),
    mtime: parseTarNumber(block, 136, 12),
    devMajor: isGnu || isPosixLike ? parseTarNumber(block, 329, 8) : 0,
    devMinor: isGnu || isPosixLike ? parseTarNumber(block, 337, 8) : 0,
  };
  if (!(header.size >= 0)) return 'has a size that is negative or no number';
  if (Number.isNaN(header.mode) || header.mode < 0) return 'has a mode that is no number';
  if (Number.isNaN(header.mtime)) return 'has a time that is no number';
  return header;
}

/** Writers of Go before 1.8 wrote a ustar prefix under the GNU magic, where GNU tar keeps two times. */
function oldGoPrefix(block: Buffer, path: string): string {
  if (block[345] === 0) return path;
  const isTime = block[345]! >= 0x80 || !Number.isNaN(parseTarNumber(block, 345, 12));
  if (isTime) return path;
  const prefix = textField(block, 345, 155);
  return ASCII.test(prefix) ? `${prefix}/${path}` : path;
}

function checksumMatches(block: Buffer): boolean {
  const stored = parseTarNumber(block, 148, 8);
  let sum = 8 * 0x20;
  for (let i = 0; i < 148; i++) sum += block[i] as number;
  for (let i = 156; i < BLOCK_SIZE; i++) sum += block[i] as number;
  return stored === sum || stored === sum - 256 * highBytes(block);
}

/** How many bytes the checksum of an old tar that summed signed characters took for negative. */
function highBytes(block: Buffer): number {
  let count = 0;
  for (let i = 0; i < BLOCK_SIZE; i++) if ((i < 148 || i >= 156) && (block[i] as number) > 0x7f) count++;
  return count;
}

function textField(block: Buffer, offset: number, length: number): string {
  let end = offset;
  while (end < offset + length && block[end] !== 0) end++;
  return block.toString('latin1', offset, end);
}
