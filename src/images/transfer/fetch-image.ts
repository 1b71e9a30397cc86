import { engineError, quote } from '../../errors/index.js';
import { type CallOptions, throwIfAborted } from '../../util/signals.js';
import type { ContentStore } from '../content-store.js';
import { digestOf, isDigest } from '../digest.js';
import { type Descriptor, DOCUMENT_LIMITS, type ImageManifest, parseManifestOrIndex } from '../documents.js';
import { isIndexType, isManifestType, MEDIA_TYPES } from '../media-types.js';
import { choosePlatform, formatPlatform, hostPlatform } from '../platform.js';
import { type Reference, repositoryName } from '../reference.js';
import type { Digest, Platform } from '../types.js';
import type { BlobSource, RemoteReference, RemoteRepository } from './blob-source.js';

/** What is asked for, best first; some registries send schema 1 to those who name nothing newer. */
export const ACCEPT: readonly string[] = [
  MEDIA_TYPES.ociIndex,
  MEDIA_TYPES.dockerList,
  MEDIA_TYPES.ociManifest,
  MEDIA_TYPES.dockerManifest,
];

/** The documents of one image, every digest verified. */
export interface FetchedImage {
  /** What the name stands for at the registry: an index or the manifest itself. */
  readonly digest: Digest;
  /** The index, when there is one. */
  readonly index: Uint8Array | undefined;
  readonly manifest: { readonly document: ImageManifest; readonly bytes: Uint8Array; readonly digest: Digest };
  readonly config: Uint8Array;
}

export function remoteRepository(reference: Reference): RemoteRepository {
  return { registry: reference.domain, repository: reference.path };
}

/** With a digest the tag says nothing. */
export function remoteReference(reference: Reference): RemoteReference {
  const { tag, digest } = reference;
  const repository = remoteRepository(reference);
  if (digest !== undefined) return { ...repository, digest };
  return tag === undefined ? repository : { ...repository, tag };
}

/**
 * Gets the documents of the image that a name stands for, for one platform. Throws NO_MATCHING_PLATFORM, BAD_MANIFEST,
 * UNSUPPORTED_MEDIA_TYPE, DIGEST_MISMATCH, SIZE_MISMATCH, and what the registry says.
 */
export async function fetchImage(
  deps: { readonly source: BlobSource; readonly content: ContentStore },
  reference: Reference,
  platform: Platform | undefined,
  call: CallOptions,
): Promise<FetchedImage> {
  const repository = remoteRepository(reference);
  let wanted: RemoteReference = remoteReference(reference);
  let top: { digest: Digest; index: Uint8Array | undefined } | undefined;
  let mediaType: string | undefined;
  for (let depth = 0; ; depth++) {
    const { digest, bytes, type } = await getManifest(deps.source, wanted, mediaType, call);
    const document = parseManifestOrIndex(bytes, type, top === undefined ? repositoryName(reference) : digest);
    top ??= { digest, index: document.kind === 'index' ? bytes : undefined };
    if (document.kind === 'manifest') {
      assertOwnLayers(document);
      const config = await fetchConfig(deps, repository, document.config, call);
      return { ...top, manifest: { document, bytes, digest }, config };
    }
    if (depth >= DOCUMENT_LIMITS.indexDepth) {
      throw engineError('BAD_MANIFEST', `image index ${digest} is nested more than ${depth} deep`, {
        details: { document: digest, path: 'manifests' },
      });
    }
    const chosen = choose(document.manifests, platform);
    wanted = { ...repository, digest: chosen.digest };
    mediaType = chosen.mediaType;
  }
}

async function getManifest(
  source: BlobSource,
  wanted: RemoteReference,
  announced: string | undefined,
  call: CallOptions,
): Promise<{ digest: Digest; bytes: Uint8Array; type: string }> {
  throwIfAborted(call.signal);
  const found = await source.manifest(wanted, { ...call, accept: ACCEPT });
  if (found.bytes.length > DOCUMENT_LIMITS.manifestBytes) {
    throw engineError(
      'BAD_MANIFEST',
      `manifest has ${found.bytes.length} bytes, more than ${DOCUMENT_LIMITS.manifestBytes}`,
      {
        details: { size: found.bytes.length, maxBytes: DOCUMENT_LIMITS.manifestBytes },
      },
    );
  }
  const digest = digestOf(found.bytes);
  for (const expected of [wanted.digest, found.digest]) {
    if (expected !== undefined && expected !== '' && expected !== digest) throw wrongDigest(expected, digest);
  }
  // Registries may say less than the index did, or add a charset.
  const type = found.mediaType.split(';')[0]?.trim() ?? '';
  return { digest, bytes: found.bytes, type: isIndexType(type) || isManifestType(type) ? type : (announced ?? type) };
}

/** Entries of kinds that are no images (signatures, attestations, what is not invented yet) are passed over. */
function choose(entries: readonly Descriptor[], platform: Platform | undefined): Descriptor {
  const candidates = entries.filter(({ mediaType }) => isIndexType(mediaType) || isManifestType(mediaType));
  const wanted = platform ?? hostPlatform();
  const chosen = choosePlatform(candidates, wanted, platform === undefined);
  if (chosen !== undefined) return chosen;
  const platforms = candidates.flatMap((one) => (one.platform === undefined ? [] : [formatPlatform(one.platform)]));
  throw engineError('NO_MATCHING_PLATFORM', `image has nothing for platform ${quote(formatPlatform(wanted))}`, {
    details: { wanted: formatPlatform(wanted), platforms },
  });
}

/** Layers that lie elsewhere are not followed: the registry alone is asked, and a manifest must not send us anywhere. */
function assertOwnLayers({ layers }: ImageManifest): void {
  const foreign = layers.find(
    ({ mediaType, urls }) => urls.length > 0 || /\.(?:foreign|nondistributable)\./.test(mediaType),
  );
  if (foreign === undefined) return;
  throw engineError(
    'UNSUPPORTED_MEDIA_TYPE',
    `layer ${foreign.digest} is a foreign layer, which lies at other addresses`,
    {
      details: { digest: foreign.digest, mediaType: quote(foreign.mediaType) },
    },
  );
}

async function fetchConfig(
  deps: { readonly source: BlobSource; readonly content: ContentStore },
  repository: RemoteRepository,
  { digest, size }: Descriptor,
  call: CallOptions,
): Promise<Uint8Array> {
  if (size > DOCUMENT_LIMITS.configBytes) {
    throw engineError('BAD_MANIFEST', `image config has ${size} bytes, more than ${DOCUMENT_LIMITS.configBytes}`, {
      details: { digest, size, maxBytes: DOCUMENT_LIMITS.configBytes },
    });
  }
  if (deps.content.find(digest)?.size === size) return deps.content.readDocument({ digest, size }, size);
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of await deps.source.blob(repository, digest, { ...call, size })) {
    throwIfAborted(call.signal);
    chunks.push(chunk);
    length += chunk.length;
    if (length > size) break;
  }
  if (length !== size) {
    throw engineError('SIZE_MISMATCH', `image config ${digest} has ${length} bytes where ${size} were announced`, {
      details: { digest, expected: size, actual: length },
    });
  }
  const bytes = Buffer.concat(chunks);
  const actual = digestOf(bytes);
  if (actual !== digest) throw wrongDigest(digest, actual);
  return bytes;
}

function wrongDigest(expected: string, actual: Digest): Error {
  const shown = isDigest(expected) ? expected : quote(expected);
  return engineError('DIGEST_MISMATCH', `content announced as ${shown} hashes to ${actual}`, {
    details: { expected: shown, actual },
  });
}
