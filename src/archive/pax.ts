import { byteStringToBuffer } from './byte-string.js';

/** The largest PAX header that is read. */
export const MAX_PAX_BYTES = 1 << 20;

/** PAX records by keyword, in archive order; keys are foreign, hence a Map. GNU.sparse 0.0 repeats keys, hence the list. */
export interface PaxRecords {
  readonly values: ReadonlyMap<string, Buffer>;
  /** Pairs of GNU.sparse.offset and GNU.sparse.numbytes of format 0.0, flattened; empty otherwise. */
  readonly sparsePairs: readonly string[];
}

/** Parses a PAX header block; a string says what is wrong with it. */
export function parsePax(data: Buffer): PaxRecords | string {
  const values = new Map<string, Buffer>();
  const sparsePairs: string[] = [];
  let position = 0;
  while (position < data.length) {
    const space = data.indexOf(0x20, position);
    if (space < 0 || space === position || space - position > 8) return 'has a PAX record without length';
    const lengthText = data.toString('latin1', position, space);
    if (!/^[0-9]+$/.test(lengthText)) return 'has a PAX record whose length is not a number';
    const end = position + Number(lengthText);
    if (end > data.length || end <= space + 1 || data[end - 1] !== 0x0a) return 'has a PAX record of the wrong length';
    const equals = data.indexOf(0x3d, space + 1);
    if (equals < 0 || equals >= end || equals === space + 1) return 'has a PAX record without keyword';
    const key = data.toString('latin1', space + 1, equals);
    if (key.includes('\0')) return 'has a NUL in a PAX keyword';
    const value = data.subarray(equals + 1, end - 1);
    if (key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes') {
      if ((sparsePairs.length % 2 === 0) !== (key === 'GNU.sparse.offset')) return 'has a broken PAX sparse map';
      sparsePairs.push(value.toString('latin1'));
    } else {
      values.set(key, value);
    }
    position = end;
  }
  if (sparsePairs.length % 2 !== 0) return 'has a broken PAX sparse map';
  return { values, sparsePairs };
}

/** A PAX time (seconds with fraction, perhaps negative) in nanoseconds; undefined when it is none. */
export function parsePaxTime(text: string): bigint | undefined {
  const match = /^(-?)([0-9]{1,12})(?:\.([0-9]*))?$/.exec(text);
  if (match === null) return undefined;
  const nanos = BigInt((match[3] ?? '').slice(0, 9).padEnd(9, '0'));
  const total = BigInt(match[2] as string) * 1_000_000_000n + nanos;
  return match[1] === '-' ? -total : total;
}

/** Nanoseconds as a PAX time. */
export function formatPaxTime(ns: bigint): string {
  const sign = ns < 0n ? '-' : '';
  const positive = ns < 0n ? -ns : ns;
  const fraction = (positive % 1_000_000_000n).toString().padStart(9, '0').replace(/0+$/, '');
  return `${sign}${positive / 1_000_000_000n}${fraction === '' ? '' : `.${fraction}`}`;
}

/** One PAX record; the length counts itself. `key` is a byte string. */
export function paxRecord(key: string, value: Buffer): Buffer {
  const rest = key.length + value.length + 3;
  let length = rest + String(rest).length;
  if (rest + String(length).length !== length) length = rest + String(length).length;
  return Buffer.concat([byteStringToBuffer(`${length} ${key}=`), value, Buffer.from('\n')]);
}
