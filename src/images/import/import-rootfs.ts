import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type DecompressLimits, tarFromDirectory } from '../../archive/index.js';
import type { CallOptions } from '../../util/signals.js';
import type { BlobInfo } from '../content-store.js';
import type { ImageDeps } from '../image-deps.js';
import { MEDIA_TYPES } from '../media-types.js';
import { compressionOf, layerTypeOf, openPlain } from '../plain-stream.js';
import { hostPlatform } from '../platform.js';
import type { Reference } from '../reference.js';
import type { Digest, ImageRunConfig, Platform } from '../types.js';
import type { ImportSession } from './import-session.js';
import { makeConfig, makeManifest } from './make-manifest.js';
import type { Located } from './open-source.js';
import type { ImageToStore } from './store-image.js';

export interface RootfsOptions extends CallOptions {
  readonly platform?: Platform | undefined;
  readonly run: Partial<ImageRunConfig>;
  readonly references: readonly Reference[];
  readonly created: string;
  readonly limits: DecompressLimits;
}

/** Makes an image of one layer from a root file system: a directory, or a tar archive that is stored as it is. */
export async function readRootfs(
  deps: ImageDeps,
  session: ImportSession,
  located: Located,
  options: RootfsOptions,
): Promise<ImageToStore> {
  const known = located.kind === 'directory' ? MEDIA_TYPES.ociLayer : layerTypeOf(compressionOf(located.path));
  const mediaType = known ?? MEDIA_TYPES.ociLayer;
  const call: CallOptions = options.signal === undefined ? {} : { signal: options.signal };
  const bytes = () => {
    if (located.kind === 'directory') return tarFromDirectory(located.path, call);
    const file = createReadStream(located.path, { highWaterMark: 1024 * 1024 });
    // What no layer may be compressed with is stored plain.
    return known === undefined ? openPlain(file, options.limits, call) : file;
  };
  const blob = await storeBlob(deps, session, bytes(), call);
  const diffId =
    mediaType === MEDIA_TYPES.ociLayer
      ? blob.digest
      : await diffIdOf(deps.content.open(blob.digest), options.limits, call);
  return singleLayerImage({ ...blob, mediaType }, diffId, {
    ...options,
    createdBy: 'import of a root file system',
    open: () => deps.content.open(blob.digest),
  });
}

/** Stores a layer whose digest is not known before. */
export function storeBlob(
  deps: ImageDeps,
  session: ImportSession,
  bytes: AsyncIterable<Uint8Array>,
  call: CallOptions,
): Promise<BlobInfo> {
  return deps.content.ingest(bytes, {
    ...call,
    owner: session.owner,
    beforePublish: (digest) => session.protect({ blobs: [digest] }, call),
  });
}

/** Config and manifest for one stored layer. */
export function singleLayerImage(
  blob: BlobInfo & { readonly mediaType: string },
  diffId: Digest,
  options: Pick<RootfsOptions, 'platform' | 'run' | 'references' | 'created'> & {
    readonly createdBy: string;
    readonly open: () => AsyncIterable<Uint8Array>;
  },
): ImageToStore {
  const config = makeConfig({
    platform: options.platform ?? hostPlatform(),
    created: options.created,
    createdBy: options.createdBy,
    run: options.run,
    diffIds: [diffId],
  });
  return {
    config,
    manifest: makeManifest(config, [blob]),
    layers: [{ ...blob, open: options.open }],
    references: options.references,
  };
}

async function diffIdOf(
  compressed: AsyncIterable<Uint8Array>,
  limits: DecompressLimits,
  call: CallOptions,
): Promise<Digest> {
  const hash = createHash('sha256');
  for await (const chunk of openPlain(compressed, limits, call)) hash.update(chunk);
  return `sha256:${hash.digest('hex')}`;
}
