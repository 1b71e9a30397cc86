import { engineError, quote } from '../../errors/index.js';
import type { CallOptions } from '../../util/signals.js';
import { commitImage } from '../commit-image.js';
import { chainIdsOf, digestOf } from '../digest.js';
import type { Descriptor } from '../documents.js';
import { parseImageConfig } from '../image-config.js';
import type { ImageDeps } from '../image-deps.js';
import type { BlobRef, PullRef } from '../image-record.js';
import { formatPlatform } from '../platform.js';
import type { Reference } from '../reference.js';
import type { Digest } from '../types.js';
import type { ImportSession } from './import-session.js';

/** A document with its bytes. */
export interface StoredDocument {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
}

/** A whole image whose documents were read and whose layers can be. */
export interface ImageToStore {
  readonly manifest: StoredDocument;
  readonly config: StoredDocument;
  readonly layers: readonly LayerToStore[];
  readonly references: readonly Reference[];
}

export interface LayerToStore extends Pick<Descriptor, 'digest' | 'size' | 'mediaType'> {
  readonly open: (call: CallOptions) => AsyncIterable<Uint8Array>;
}

export interface StoreImageOptions extends CallOptions {
  /** What the event says. @defaultValue `import` */
  readonly action?: 'import' | 'pull';
  readonly replaceTags: boolean;
}

/** Stores blobs, unpacks layers and makes the image visible. Returns its id. */
export async function storeImage(
  deps: ImageDeps,
  session: ImportSession,
  image: ImageToStore,
  options: StoreImageOptions,
): Promise<Digest> {
  const config = parseImageConfig(image.config.bytes);
  assertFits(config, image);
  const configRef = refOf(image.config);
  const manifestRef = refOf(image.manifest);
  const chainIds = chainIdsOf(config.diffIds);
  const blobs = [configRef.digest, manifestRef.digest, ...image.layers.map((layer) => layer.digest)];
  await session.protect({ blobs, layers: chainIds }, options);

  const layerBytes: number[] = [];
  for (const [index, layer] of image.layers.entries()) {
    await ensureBlob(deps, session, layer, options);
    const chainId = chainIds[index] as Digest;
    const request = {
      parent: chainIds[index - 1],
      diffId: config.diffIds[index] as Digest,
      chainId,
      open: () => deps.content.open(layer.digest),
      owner: session.owner,
    };
    const unpacked = await deps.layers.ensure(request, options);
    // The layer is right, but a blob that was not unpacked may be of another one: it must not be kept under its name.
    if (!unpacked && !isKnownPair(deps, layer.digest, request.diffId)) await deps.layers.verify(request, options);
    layerBytes.push((await deps.layers.usage(chainId, options))?.bytes ?? 0);
  }
  return recordImage(deps, session, { ...image, layerBytes }, options);
}

/** An image whose layers are stored and unpacked. */
export interface ImageToRecord extends Omit<ImageToStore, 'layers'> {
  readonly layers: readonly BlobRef[];
  readonly layerBytes: readonly number[];
  readonly pulls?: readonly PullRef[];
}

/** Stores the documents of an image whose layers are there, and makes it visible. Returns its id. */
export async function recordImage(
  deps: ImageDeps,
  session: ImportSession,
  image: ImageToRecord,
  options: StoreImageOptions,
): Promise<Digest> {
  const config = parseImageConfig(image.config.bytes);
  const configRef = refOf(image.config);
  for (const { bytes } of [image.config, image.manifest]) await ensureDocument(deps, session, bytes, options);
  await commitImage(
    deps,
    {
      id: configRef.digest,
      config: configRef,
      manifests: [
        {
          ...refOf(image.manifest),
          layers: image.layers.map(({ digest, size, mediaType }) => ({ digest, size, mediaType })),
        },
      ],
      platform: config.platform,
      diffIds: config.diffIds,
      layerBytes: image.layerBytes,
      created: config.created?.toISOString(),
      ...(image.pulls === undefined ? {} : { pulls: image.pulls }),
    },
    { ...options, references: image.references },
  );
  return configRef.digest;
}

/** Throws NO_MATCHING_PLATFORM, BAD_MANIFEST. */
export function assertFits(
  config: ReturnType<typeof parseImageConfig>,
  image: { readonly layers: readonly unknown[] },
): void {
  if (config.platform.os !== 'linux') {
    const platform = formatPlatform(config.platform);
    throw engineError('NO_MATCHING_PLATFORM', `image is for ${quote(platform)}, not for linux`, {
      details: { wanted: 'linux', platforms: [platform] },
    });
  }
  if (config.diffIds.length === image.layers.length) return;
  throw engineError(
    'BAD_MANIFEST',
    `image config has ${config.diffIds.length} diff ids for ${image.layers.length} layers`,
    { details: { document: 'image config', path: 'rootfs.diff_ids' } },
  );
}

/** True when the blob is known to unpack to this diff id: it is plain, or an image was stored with both. */
export function isKnownPair(deps: ImageDeps, blob: Digest, diffId: Digest): boolean {
  if (blob === diffId) return true;
  for (const record of deps.images.list().records.values()) {
    const index = record.diffIds.indexOf(diffId);
    if (index >= 0 && record.manifests.some(({ layers }) => layers[index]?.digest === blob)) return true;
  }
  return false;
}

function refOf(document: StoredDocument): BlobRef {
  return { digest: digestOf(document.bytes), size: document.bytes.length, mediaType: document.mediaType };
}

/** A stored blob was verified when it came in; its size is compared as a cheap check that it is still whole. */
async function ensureBlob(
  deps: ImageDeps,
  session: ImportSession,
  layer: LayerToStore,
  call: CallOptions,
): Promise<void> {
  const { digest, size } = layer;
  if (deps.content.find(digest)?.size === size) return;
  await deps.content.ingest(layer.open(call), { ...call, digest, size, owner: session.owner });
}

async function ensureDocument(
  deps: ImageDeps,
  session: ImportSession,
  bytes: Uint8Array,
  call: CallOptions,
): Promise<void> {
  const digest = digestOf(bytes);
  if (deps.content.find(digest)?.size === bytes.length) return;
  await deps.content.put(bytes, { ...call, digest, size: bytes.length, owner: session.owner });
}
