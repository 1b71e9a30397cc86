import { type CallOptions, throwIfAborted } from '../util/signals.js';
import type { Ownership } from './layer-metadata.js';
import type { LayerTarget } from './layer-tree.js';
import { LayerUnpacker } from './layer-unpacker.js';
import type { LayerLimits } from './layer-writer.js';

export interface ApplyLayerOptions extends CallOptions {
  /** @defaultValue 64 GiB of file data, 2 000 000 entries */
  readonly limits?: Partial<LayerLimits>;
  /** `caller` leaves all files to the calling process, without setuid and setgid bits. @defaultValue `image` */
  readonly ownership?: Ownership;
}

/** What a layer brought. */
export interface AppliedLayer {
  /** File data in the archive, without headers and holes. */
  readonly bytes: number;
  readonly entries: number;
}

export const DEFAULT_LAYER_LIMITS: LayerLimits = { maxBytes: 64 * 2 ** 30, maxEntries: 2_000_000 };

/**
 * Unpacks an uncompressed layer archive (OCI image-spec layer.md) into `target`: owners, modes, times in nanoseconds,
 * extended attributes, devices, hard links and holes as the archive has them, whiteouts as the target wants them.
 *
 * Nobody else may write to the target meanwhile. When it fails the target is half filled and to be thrown away. The
 * source is read to its end, so that a hash over it is complete.
 *
 * Throws BAD_ARCHIVE (the tar is broken), BAD_LAYER (an entry that leaves the root, forges a whiteout, …),
 * LAYER_TOO_LARGE, DISK_FULL, NOT_PERMITTED, CANCELED.
 */
export async function applyLayer(
  source: AsyncIterable<Uint8Array>,
  target: LayerTarget,
  options: ApplyLayerOptions = {},
): Promise<AppliedLayer> {
  throwIfAborted(options.signal);
  const unpacker = new LayerUnpacker(target, {
    limits: { ...DEFAULT_LAYER_LIMITS, ...options.limits },
    ownership: options.ownership ?? 'image',
  });
  try {
    for await (const chunk of source) {
      throwIfAborted(options.signal);
      unpacker.push(chunk);
    }
    unpacker.end();
  } finally {
    unpacker.close();
  }
  return { bytes: unpacker.bytes, entries: unpacker.entries };
}
