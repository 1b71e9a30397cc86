import { EngineError, engineError, quote } from '../../errors/index.js';
import { abortError, type CallOptions, throwIfAborted } from '../../util/signals.js';
import { chainIdsOf } from '../digest.js';
import { DOCUMENT_LIMITS } from '../documents.js';
import { findByName, imageNotFound } from '../find-image.js';
import { type ImageConfig, parseImageConfig } from '../image-config.js';
import type { ImageDeps } from '../image-deps.js';
import type { ImageRecord } from '../image-record.js';
import { ImportSession } from '../import/import-session.js';
import { assertFits, recordImage } from '../import/store-image.js';
import { formatPlatform, hostPlatform, parsePlatform, platformRank } from '../platform.js';
import { formatReference, parseReference, type Reference, repositoryName, withDefaultTag } from '../reference.js';
import { readConfig } from '../resolve-image.js';
import { findTag } from '../tags.js';
import type { Digest, Platform } from '../types.js';
import { type BlobSource, type ConnectRegistry, withAuth } from './blob-source.js';
import { ACCEPT, type FetchedImage, fetchImage, remoteReference, remoteRepository } from './fetch-image.js';
import { PullTracker } from './progress.js';
import type { LayerToPull, PullDeps } from './pull-deps.js';
import { pullLayer } from './pull-layer.js';
import { assertPullOptions, type ImageCandidate, type PullImageOptions } from './pull-options.js';
import { Slots } from './slots.js';
import type { UnpackPool } from './unpack-pool.js';

const MAX_DOWNLOADS = 3;
const MAX_UNPACKS = 4;

export interface PullImageDeps extends ImageDeps {
  readonly pool: UnpackPool;
  readonly connect: ConnectRegistry;
}

interface Wanted {
  readonly reference: Reference;
  readonly platform: Platform | undefined;
  /** The platform in the words of the record. */
  readonly asked: string;
  readonly options: PullImageOptions;
  readonly tracker: PullTracker;
}

/**
 * Gets an image from its registry; returns its id. What is here already is not fetched again, and what an earlier try
 * brought is used. Throws what is wrong with the call, the registry or the image; names change only when all is stored.
 */
export async function pullImage(deps: PullImageDeps, text: string, options: PullImageOptions = {}): Promise<Digest> {
  const reference = withDefaultTag(parseReference(text));
  assertPullOptions(options);
  throwIfAborted(options.signal);
  const platform = options.platform === undefined ? undefined : parsePlatform(options.platform);
  const wanted: Wanted = {
    reference,
    platform,
    asked: platform === undefined ? `host ${formatPlatform(hostPlatform())}` : formatPlatform(platform),
    options,
    tracker: new PullTracker(formatReference(reference), options.onProgress),
  };
  const call: CallOptions = options.signal === undefined ? {} : { signal: options.signal };
  const policy = options.policy ?? 'always';
  const local = findLocal(deps, wanted);
  if (policy === 'never' && local === undefined) throw imageNotFound(text);
  if (local !== undefined && (policy === 'never' || policy === 'missing')) return useLocal(deps, wanted, local, call);
  try {
    const source = withAuth(await deps.connect(), options.auth);
    return await pullFrom(deps, source, wanted, local, call);
  } catch (error) {
    if (options.signal?.aborted) throw abortError(options.signal);
    if (policy === 'newer' && local !== undefined && EngineError.is(error, 'UNAVAILABLE')) {
      return useLocal(deps, wanted, local, call);
    }
    throw error;
  }
}

/** The image that has the name here, if it is for the platform. */
function findLocal(deps: PullImageDeps, { reference, platform }: Wanted): ImageRecord | undefined {
  const record = findByName(deps, reference);
  if (record === undefined || platform === undefined) return record;
  return platformRank(platform, record.platform) > 0 ? record : undefined;
}

async function useLocal(deps: PullImageDeps, wanted: Wanted, record: ImageRecord, call: CallOptions): Promise<Digest> {
  const { reference, options, tracker } = wanted;
  const digest = record.pulls?.[0]?.digest ?? (record.manifests[0]?.digest as Digest);
  if (options.verify !== undefined) {
    const manifest = record.manifests[0] as ImageRecord['manifests'][number];
    const bytes = deps.content.readDocument(manifest, DOCUMENT_LIMITS.manifestBytes);
    const layers = manifest.layers.map((layer) => layer.digest);
    const config = readConfig(deps, record);
    await judge(
      options,
      {
        reference: formatReference(reference),
        digest,
        manifestDigest: manifest.digest,
        manifest: bytes,
        platform: record.platform,
        config: config.run,
        layers,
      },
      call,
    );
  }
  tracker.done(digest, true);
  return record.id;
}

async function pullFrom(
  deps: PullImageDeps,
  source: BlobSource,
  wanted: Wanted,
  local: ImageRecord | undefined,
  call: CallOptions,
): Promise<Digest> {
  if (local?.pulls !== undefined && (await isUnchanged(deps, source, wanted, local, call))) {
    return useLocal(deps, wanted, local, call);
  }
  const fetched = await fetchImage({ source, content: deps.content }, wanted.reference, wanted.platform, call);
  const config = parseImageConfig(fetched.config);
  assertFits(config, fetched.manifest.document);
  assertPlatform(config, wanted.platform);
  await judge(wanted.options, candidateOf(wanted, fetched, config), call);
  return ImportSession.run(deps, (session) => store(deps, source, wanted, { fetched, config, session }, call), {
    ...call,
    keeps: true,
  });
}

/** One small request: true when the name still stands for what is here, whole. */
async function isUnchanged(
  deps: PullImageDeps,
  source: BlobSource,
  { reference, asked }: Wanted,
  local: ImageRecord,
  call: CallOptions,
): Promise<boolean> {
  // Found under another name: this one is to be remembered too.
  if (reference.digest !== undefined && findTag(deps.tags, nameOf(reference)) === undefined) return false;
  const repository = repositoryName(reference);
  const known = local.pulls?.filter((pull) => pull.repository === repository && pull.asked === asked) ?? [];
  if (known.length === 0) return false;
  const head = await source.headManifest(remoteReference(reference), { ...call, accept: ACCEPT });
  if (!known.some(({ digest }) => digest === head?.digest)) return false;
  const blobs = local.manifests.flatMap((manifest) => [manifest, ...manifest.layers]);
  if (![local.config, ...blobs].every(({ digest, size }) => deps.content.find(digest)?.size === size)) return false;
  const top = chainIdsOf(local.diffIds).at(-1);
  return top === undefined || (await deps.layers.has(top));
}

function candidateOf({ reference }: Wanted, fetched: FetchedImage, config: ImageConfig): ImageCandidate {
  return {
    reference: formatReference(reference),
    digest: fetched.digest,
    manifestDigest: fetched.manifest.digest,
    manifest: fetched.manifest.bytes,
    platform: config.platform,
    config: config.run,
    layers: fetched.manifest.document.layers.map(({ digest }) => digest),
  };
}

async function judge(options: PullImageOptions, candidate: ImageCandidate, call: CallOptions): Promise<void> {
  if (options.verify === undefined) return;
  let cause: unknown;
  try {
    if ((await options.verify(candidate, call)) !== false) return;
  } catch (error) {
    cause = error;
  }
  throwIfAborted(call.signal);
  throw engineError('IMAGE_REFUSED', `image ${quote(candidate.reference)} (${candidate.digest}) was refused`, {
    details: { reference: candidate.reference, digest: candidate.digest },
    ...(cause === undefined ? {} : { cause }),
  });
}

/** An index may lie or be silent about what it leads to: for a platform that was named the config decides. */
function assertPlatform({ platform }: ImageConfig, wanted: Platform | undefined): void {
  if (wanted === undefined || platformRank(wanted, platform) > 0) return;
  const found = formatPlatform(platform);
  throw engineError('NO_MATCHING_PLATFORM', `image is for ${quote(found)}, not for ${quote(formatPlatform(wanted))}`, {
    details: { wanted: formatPlatform(wanted), platforms: [found] },
  });
}

interface ToStore {
  readonly fetched: FetchedImage;
  readonly config: ImageConfig;
  readonly session: ImportSession;
}

async function store(
  deps: PullImageDeps,
  source: BlobSource,
  { reference, asked, options, tracker }: Wanted,
  { fetched, config, session }: ToStore,
  call: CallOptions,
): Promise<Digest> {
  const { document, bytes, digest: manifestDigest } = fetched.manifest;
  const chainIds = chainIdsOf(config.diffIds);
  const blobs = [document.config.digest, manifestDigest, ...document.layers.map(({ digest }) => digest)];
  await session.protect({ blobs, layers: chainIds }, call);
  tracker.resolved(fetched.digest, manifestDigest, document.layers);
  const layers = document.layers.map(
    ({ digest, size }, index): LayerToPull => ({
      index,
      digest,
      size,
      diffId: config.diffIds[index] as Digest,
      chainId: chainIds[index] as Digest,
      parent: chainIds[index - 1],
    }),
  );
  using _threads = deps.pool.use();
  await pullLayers(
    {
      ...deps,
      source,
      repository: remoteRepository(reference),
      downloadSlots: new Slots(options.maxConcurrentDownloads ?? MAX_DOWNLOADS),
      unpackSlots: new Slots(MAX_UNPACKS),
      tracker,
      owner: session.owner,
    },
    layers,
    call,
  );
  const layerBytes: number[] = [];
  for (const chainId of chainIds) layerBytes.push((await deps.layers.usage(chainId, call))?.bytes ?? 0);
  const id = await recordImage(
    deps,
    session,
    {
      manifest: { bytes, mediaType: document.mediaType },
      config: { bytes: fetched.config, mediaType: document.config.mediaType },
      layers: document.layers,
      layerBytes,
      references: [nameOf(reference)],
      pulls: [{ repository: repositoryName(reference), digest: fetched.digest, asked }],
    },
    { ...call, replaceTags: true, action: 'pull' },
  );
  deps.leases.dropKept(new Set([...blobs, ...chainIds]));
  tracker.done(fetched.digest, false);
  return id;
}

/** With a digest, that is the name: the tag beside it says nothing. */
function nameOf({ domain, path, tag, digest }: Reference): Reference {
  if (digest !== undefined) return { domain, path, digest };
  return tag === undefined ? { domain, path } : { domain, path, tag };
}

/** All layers at once, as far as the slots go; the first failure ends the others. */
async function pullLayers(deps: PullDeps, layers: readonly LayerToPull[], call: CallOptions): Promise<void> {
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, ...(call.signal === undefined ? [] : [call.signal])]);
  let failure: { error: unknown } | undefined;
  let below = Promise.resolve();
  const all = layers.map((layer) => {
    const done = pullLayer(deps, layer, below, { signal });
    below = done;
    return done.catch((error) => {
      failure ??= { error };
      stop.abort(error);
    });
  });
  await Promise.all(all);
  if (failure !== undefined) throw failure.error;
}
