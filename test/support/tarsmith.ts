/** Header fields as they shall stand in the block: text goes in as bytes (latin1), numbers as octal. Anything may be wrong. */
export interface SmithHeader {
  readonly path?: string;
  readonly type?: string;
  readonly mode?: number | string;
  readonly uid?: number | string;
  readonly gid?: number | string;
  readonly size?: number | string;
  readonly mtime?: number | string;
  readonly linkPath?: string;
  readonly magic?: 'ustar' | 'gnu' | 'v7';
  readonly prefix?: string;
  readonly devMajor?: number | string;
  readonly devMinor?: number | string;
  /** What stands in the checksum field. @defaultValue the right one */
  readonly checksum?: 'good' | 'signed' | 'bad';
  /** Bytes that are put over the block before the checksum is made. */
  readonly patch?: readonly { readonly at: number; readonly bytes: string | Uint8Array }[];
}

const MAGIC = { ustar: 'ustar\x0000', gnu: 'ustar  \0', v7: '' } as const;

/** A 512-byte header block. */
export function smithHeader(fields: SmithHeader): Buffer {
  const block = Buffer.alloc(512);
  const put = (text: string, at: number, length: number) => block.write(text.slice(0, length), at, 'latin1');
  const number = (value: number | string, at: number, length: number) =>
    put(typeof value === 'string' ? value : `${value.toString(8).padStart(length - 1, '0')}\0`, at, length);
  put(fields.path ?? '', 0, 100);
  number(fields.mode ?? 0o644, 100, 8);
  number(fields.uid ?? 0, 108, 8);
  number(fields.gid ?? 0, 116, 8);
  number(fields.size ?? 0, 124, 12);
  number(fields.mtime ?? 1_700_000_000, 136, 12);
  put(fields.type ?? '0', 156, 1);
  put(fields.linkPath ?? '', 157, 100);
  put(MAGIC[fields.magic ?? 'ustar'], 257, 8);
  if (fields.magic !== 'v7') {
    number(fields.devMajor ?? 0, 329, 8);
    number(fields.devMinor ?? 0, 337, 8);
  }
  put(fields.prefix ?? '', 345, 155);
  for (const { at, bytes } of fields.patch ?? [])
    block.set(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes, at);
  block.fill(0x20, 148, 156);
  let sum = 0;
  for (const byte of block) sum += fields.checksum === 'signed' && byte > 127 ? byte - 256 : byte;
  if (fields.checksum === 'bad') sum += 1;
  put(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 8);
  return block;
}

/** Data with the zeros up to the next block. */
export function smithData(data: string | Uint8Array): Buffer {
  const bytes = typeof data === 'string' ? Buffer.from(data, 'latin1') : Buffer.from(data);
  return Buffer.concat([bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
}

/** Header and data; the size is that of the data unless the fields say another. */
export function smithEntry(fields: SmithHeader, data: string | Uint8Array = ''): Buffer {
  return Buffer.concat([smithHeader({ size: data.length, ...fields }), smithData(data)]);
}

/** A PAX header (`g` for a global one). Values are byte strings. */
export function smithPax(
  records: readonly (readonly [string, string])[],
  type = 'x',
  fields: SmithHeader = {},
): Buffer {
  const text = records
    .map(([key, value]) => {
      const rest = ` ${key}=${value}\n`;
      let length = rest.length + 1;
      while (String(length).length + rest.length !== length) length++;
      return `${length}${rest}`;
    })
    .join('');
  return smithEntry({ path: 'pax', type, ...fields }, text);
}

/** A GNU long name (`L`) or long link (`K`) with its NUL. */
export function smithLong(type: 'L' | 'K', name: string, fields: SmithHeader = {}): Buffer {
  return smithEntry({ path: '././@LongLink', type, magic: 'gnu', ...fields }, `${name}\0`);
}

/** The parts with the end mark behind them. */
export function smithArchive(...parts: readonly Uint8Array[]): Buffer {
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

/** The bytes as a source in chunks of `size`. */
export async function* inChunks(bytes: Uint8Array, size = 64 * 1024): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
