import { engineError } from '../../../errors/index.js';

/** Values of the fields of a message in wire order: varints as bigint, everything else as bytes. */
export type Fields = ReadonlyMap<number, readonly (bigint | Buffer)[]>;

type FieldValue = string | Uint8Array | number | bigint | boolean | undefined;

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** Encodes `[number, value]` pairs. As in proto3, zero, false, empty and undefined values are left out. */
export function encodeMessage(fields: readonly (readonly [number, FieldValue])[]): Buffer {
  const parts: Buffer[] = [];
  for (const [number, value] of fields) {
    if (value === undefined) continue;
    if (typeof value === 'string' || value instanceof Uint8Array) {
      const bytes = typeof value === 'string' ? Buffer.from(value) : value;
      if (bytes.length > 0)
        parts.push(varint(BigInt((number << 3) | BYTES)), varint(BigInt(bytes.length)), Buffer.from(bytes));
    } else {
      const integer = BigInt(value);
      if (integer !== 0n) parts.push(varint(BigInt((number << 3) | VARINT)), varint(BigInt.asUintN(64, integer)));
    }
  }
  return Buffer.concat(parts);
}

/** Splits a message into its fields. Throws TTRPC_FAILED for bytes that are no message. */
export function decodeMessage(bytes: Buffer): Fields {
  const fields = new Map<number, (bigint | Buffer)[]>();
  let at = 0;

  const readVarint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) throw malformed();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw malformed();
  };
  const take = (length: number): Buffer => {
    if (length > bytes.length - at) throw malformed();
    at += length;
    return bytes.subarray(at - length, at);
  };
  const readValue = (wireType: number): bigint | Buffer => {
    if (wireType === VARINT) return readVarint();
    if (wireType === FIXED64) return take(8);
    if (wireType === FIXED32) return take(4);
    if (wireType !== BYTES) throw malformed();
    return take(Number(readVarint()));
  };

  while (at < bytes.length) {
    const key = readVarint();
    const number = Number(key >> 3n);
    if (number === 0) throw malformed();
    const value = readValue(Number(key & 7n));
    const values = fields.get(number);
    if (values === undefined) fields.set(number, [value]);
    else values.push(value);
  }
  return fields;
}

/** The last value of a number field; 0 when absent or of another type. */
export function numberField(fields: Fields, number: number): number {
  const value = fields.get(number)?.at(-1);
  return typeof value === 'bigint' ? Number(value) : 0;
}

/** The last value of a bytes field; empty when absent or of another type. */
export function bytesField(fields: Fields, number: number): Buffer {
  const value = fields.get(number)?.at(-1);
  return Buffer.isBuffer(value) ? value : Buffer.alloc(0);
}

export function stringField(fields: Fields, number: number): string {
  return bytesField(fields, number).toString('utf8');
}

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

function malformed(): Error {
  return engineError('TTRPC_FAILED', 'the shim sent bytes that are no protobuf message');
}
