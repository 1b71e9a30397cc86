import { createHash } from 'node:crypto';
import { applyLayer } from '../archive/index.js';
import type { LayerTarget } from '../snapshots/snapshotter.js';
import type { CallOptions } from '../util/signals.js';
import type { UnpackLimits } from './layer-store.js';
import { openPlain } from './plain-stream.js';
import type { Digest } from './types.js';

/** Unpacks a layer's bytes, compressed or not, and gives the digest of what they unpack to: read, hashed and applied in one pass. */
export async function unpackInto(
  target: LayerTarget,
  source: AsyncIterable<Uint8Array>,
  limits: UnpackLimits,
  call: CallOptions,
): Promise<Digest> {
  const hash = createHash('sha256');
  const plain = openPlain(source, limits.decompress, call);
  async function* hashed(): AsyncGenerator<Uint8Array> {
    for await (const chunk of plain) {
      hash.update(chunk);
      yield chunk;
    }
  }
  await applyLayer(hashed(), target, { limits: limits.layer ?? {}, ...call });
  return `sha256:${hash.digest('hex')}`;
}

/** The digest of what a layer's bytes unpack to. */
export async function plainDigest(
  source: AsyncIterable<Uint8Array>,
  limits: UnpackLimits,
  call: CallOptions,
): Promise<Digest> {
  const hash = createHash('sha256');
  for await (const chunk of openPlain(source, limits.decompress, call)) hash.update(chunk);
  return `sha256:${hash.digest('hex')}`;
}
