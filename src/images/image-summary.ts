import { chainIdsOf } from './digest.js';
import type { ImageDeps } from './image-deps.js';
import type { ImageRecord, TagRecord } from './image-record.js';
import { familiarString, parseReference } from './reference.js';
import { readConfig } from './resolve-image.js';
import type { Digest, ImageRunConfig, Platform } from './types.js';

/** An image in a list. @public */
export interface ImageSummary {
  /** Digest of the image config. */
  readonly id: Digest;
  /** Names as people write them, sorted; empty for a dangling image. */
  readonly references: readonly string[];
  /** Digest of the manifest stored last. */
  readonly manifestDigest: Digest;
  /** Operating system and processor it is for. */
  readonly platform: Platform;
  /** When the image was built; `undefined` when it does not say. */
  readonly createdAt: Date | undefined;
  /** When it first came into this store. */
  readonly importedAt: Date;
  /** Bytes of all layers unpacked; layers shared with other images count. */
  readonly sizeBytes: number;
}

/** Everything about one image. @public */
export interface ImageDetails extends ImageSummary {
  /** Who built it, as the image says; empty when it does not. */
  readonly author: string;
  /** What runs in its containers unless they say otherwise. */
  readonly config: ImageRunConfig;
  /** Layers, lowest first. */
  readonly layers: readonly ImageLayer[];
}

/** A layer of an image. @public */
export interface ImageLayer {
  /** Digest of the unpacked layer archive. */
  readonly diffId: Digest;
  /** Digest of this layer and all below it. */
  readonly chainId: Digest;
  /** Bytes unpacked. */
  readonly sizeBytes: number;
  /** The stored blob. */
  readonly blob: { readonly digest: Digest; readonly size: number; readonly mediaType: string };
}

export function summarize(record: ImageRecord, tags: readonly TagRecord[]): ImageSummary {
  return {
    id: record.id,
    references: tags
      .filter((tag) => tag.imageId === record.id)
      .map((tag) => familiarString(parseReference(tag.reference)))
      .sort(),
    manifestDigest: record.manifests[0]?.digest as Digest,
    platform: record.platform,
    createdAt: record.created === undefined ? undefined : new Date(record.created),
    importedAt: new Date(record.importedAt),
    sizeBytes: record.layerBytes.reduce((sum, bytes) => sum + bytes, 0),
  };
}

export function inspectRecord(
  deps: Pick<ImageDeps, 'content'>,
  record: ImageRecord,
  tags: readonly TagRecord[],
): ImageDetails {
  const config = readConfig(deps, record);
  const chainIds = chainIdsOf(record.diffIds);
  return {
    ...summarize(record, tags),
    author: config.author,
    config: config.run,
    layers: record.diffIds.map((diffId, index) => ({
      diffId,
      chainId: chainIds[index] as Digest,
      sizeBytes: record.layerBytes[index] ?? 0,
      blob: record.manifests[0]?.layers[index] as ImageLayer['blob'],
    })),
  };
}
