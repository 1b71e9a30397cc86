import * as v from 'valibot';
import { digestSchema } from './documents.js';
import type { Digest, Platform } from './types.js';

/** A blob an image is made of. */
export interface BlobRef {
  readonly digest: Digest;
  readonly size: number;
  readonly mediaType: string;
}

/** One manifest that leads to an image's config, with the layer blobs it names, lowest first. */
export interface ManifestRef extends BlobRef {
  readonly layers: readonly BlobRef[];
}

/** What a registry called an image when it was pulled. */
export interface PullRef {
  /** `docker.io/library/alpine`. */
  readonly repository: string;
  /** Of the index or manifest that the name stood for. */
  readonly digest: Digest;
  /** The platform that was asked for, in the words of `askedPlatform`. */
  readonly asked: string;
}

/** An image on disk. Everything else about it is in its config blob. */
export interface ImageRecord {
  /** Digest of the config. */
  readonly id: Digest;
  readonly config: BlobRef;
  /** The manifests stored for this config, the newest first: the same image may have come gzipped and plain. */
  readonly manifests: readonly ManifestRef[];
  readonly platform: Platform;
  readonly diffIds: readonly Digest[];
  /** Bytes each layer takes unpacked, lowest first. */
  readonly layerBytes: readonly number[];
  /** When the image was built, by its config; ISO. */
  readonly created?: string | undefined;
  /** Under which digests registries had it. */
  readonly pulls?: readonly PullRef[] | undefined;
  /** When it was first stored here; ISO. */
  readonly importedAt: string;
}

/** A name of an image on disk. */
export interface TagRecord {
  /** The full spelling: `docker.io/library/alpine:3.22`. */
  readonly reference: string;
  readonly imageId: Digest;
  readonly updatedAt: string;
}

const size = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const blobFields = { digest: digestSchema, size, mediaType: v.string() };

export const imageRecordSchema: v.GenericSchema<unknown, ImageRecord> = v.object({
  id: digestSchema,
  config: v.object(blobFields),
  manifests: v.pipe(v.array(v.object({ ...blobFields, layers: v.array(v.object(blobFields)) })), v.minLength(1)),
  platform: v.pipe(
    v.object({ os: v.string(), architecture: v.string(), variant: v.optional(v.string()) }),
    v.transform(
      ({ os, architecture, variant }): Platform =>
        variant === undefined ? { os, architecture } : { os, architecture, variant },
    ),
  ),
  diffIds: v.array(digestSchema),
  layerBytes: v.array(size),
  created: v.optional(v.string()),
  pulls: v.optional(v.array(v.object({ repository: v.string(), digest: digestSchema, asked: v.string() }))),
  importedAt: v.string(),
});

export const tagRecordSchema: v.GenericSchema<unknown, TagRecord> = v.object({
  reference: v.string(),
  imageId: digestSchema,
  updatedAt: v.string(),
});

/** Every blob that an image keeps alive. */
export function blobsOf(record: ImageRecord): Set<Digest> {
  const blobs = new Set<Digest>([record.config.digest]);
  for (const manifest of record.manifests) {
    blobs.add(manifest.digest);
    for (const layer of manifest.layers) blobs.add(layer.digest);
  }
  return blobs;
}
