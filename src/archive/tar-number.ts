/** A numeric header field that is no number, or one that no tool of ours can hold. */
export const BAD_NUMBER = Number.NaN;

/**
 * Reads a numeric header field: octal digits with blanks or NULs around them, or base-256 when the first bit is set.
 * Returns NaN for anything else and for values beyond 2^53.
 */
export function parseTarNumber(block: Uint8Array, offset: number, length: number): number {
  const first = block[offset] as number;
  if ((first & 0x80) !== 0) return parseBase256(block, offset, length);
  let i = offset;
  const end = offset + length;
  while (i < end && (block[i] === 0x20 || block[i] === 0)) i++;
  let value = 0;
  for (; i < end; i++) {
    const byte = block[i] as number;
    if (byte === 0 || byte === 0x20) break;
    if (byte < 0x30 || byte > 0x37) return BAD_NUMBER;
    value = value * 8 + (byte - 0x30);
  }
  for (; i < end; i++) {
    const byte = block[i] as number;
    if (byte === 0) break;
    if (byte !== 0x20) return BAD_NUMBER;
  }
  return Number.isSafeInteger(value) ? value : BAD_NUMBER;
}

function parseBase256(block: Uint8Array, offset: number, length: number): number {
  const first = block[offset] as number;
  const negative = (first & 0x40) !== 0;
  let value = BigInt(negative ? (first & 0x7f) - 0x80 : first & 0x7f);
  for (let i = offset + 1; i < offset + length; i++) value = value * 256n + BigInt(block[i] as number);
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : BAD_NUMBER;
}

/** Writes `value` as octal with a closing NUL; false when it does not fit (or is negative). */
export function writeOctal(block: Buffer, offset: number, length: number, value: number): boolean {
  if (value < 0) return false;
  const text = value.toString(8);
  if (text.length > length - 1) return false;
  block.write(text.padStart(length - 1, '0'), offset, 'latin1');
  block[offset + length - 1] = 0;
  return true;
}
