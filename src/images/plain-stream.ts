import { closeSync, openSync, readSync } from 'node:fs';
import {
  type Compression,
  DETECT_BYTES,
  type DecompressLimits,
  type DecompressOptions,
  decompress,
  detectCompression,
} from '../archive/index.js';
import { engineError } from '../errors/index.js';
import { ioError } from './io-error.js';
import { MEDIA_TYPES } from './media-types.js';

/** Opens a layer or archive, compressed or not, as plain bytes. What its first bytes say counts, not what it is called. */
export async function* openPlain(
  source: AsyncIterable<Uint8Array>,
  limits: DecompressLimits = {},
  call: DecompressOptions = {},
): AsyncGenerator<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  const head: Uint8Array[] = [];
  let length = 0;
  try {
    while (length < DETECT_BYTES) {
      const next = await iterator.next();
      if (next.done === true) break;
      head.push(next.value);
      length += next.value.length;
    }
    async function* whole(): AsyncGenerator<Uint8Array> {
      yield* head;
      for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
    }
    yield* decompress(whole(), detectCompression(Buffer.concat(head)), limits, call);
  } finally {
    await iterator.return?.();
  }
}

/** How a file is compressed. */
export function compressionOf(path: string): Compression {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    throw ioError(error, 'archive', path);
  }
  try {
    const head = Buffer.alloc(DETECT_BYTES);
    return detectCompression(head.subarray(0, readSync(fd, head, 0, head.length, 0)));
  } finally {
    closeSync(fd);
  }
}

/** Media type of a layer compressed so; `undefined` for the kinds that images don't have. */
export function layerTypeOf(compression: Compression): string | undefined {
  switch (compression) {
    case 'none':
      return MEDIA_TYPES.ociLayer;
    case 'gzip':
      return MEDIA_TYPES.ociLayerGzip;
    case 'zstd':
      return MEDIA_TYPES.ociLayerZstd;
    default:
      return undefined;
  }
}

/** Throws UNSUPPORTED_MEDIA_TYPE for a layer compressed in a way that no image has. */
export function requireLayerType(compression: Compression, layer: string): string {
  const mediaType = layerTypeOf(compression);
  if (mediaType !== undefined) return mediaType;
  throw engineError('UNSUPPORTED_MEDIA_TYPE', `layer ${layer} is compressed with ${compression}`, {
    details: { layer, compression },
  });
}
