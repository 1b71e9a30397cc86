import { closeSync, openSync } from 'node:fs';
import { engineError } from '../../errors/index.js';
import type { CallOptions } from '../../util/signals.js';
import { isKnownPair } from '../import/store-image.js';
import { ioError } from '../io-error.js';
import { downloadBlob } from './download-blob.js';
import { LayerBuild } from './layer-build.js';
import type { LayerToPull, PullDeps } from './pull-deps.js';

/**
 * Gets one layer: its blob into the content store, its tree among the layers. The work of another process on the same
 * layer is awaited instead, and continued when that one dies. `below` settles when the layer it stands on is there.
 *
 * Throws DIGEST_MISMATCH, SIZE_MISMATCH, DIFF_ID_MISMATCH, BAD_LAYER, BAD_ARCHIVE, LAYER_TOO_LARGE, DISK_FULL, CANCELED,
 * and what the registry says. What is whole by then stays.
 */
export async function pullLayer(
  deps: PullDeps,
  layer: LayerToPull,
  below: Promise<void>,
  call: CallOptions,
): Promise<void> {
  const { tracker, partials } = deps;
  const { index, digest, size, chainId } = layer;
  const tellElsewhere = () => {
    const bytes = hasBlob(deps, layer) ? size : partials.size(digest);
    tracker.layer(index, { status: bytes === size ? 'extracting' : 'downloading', bytes, isElsewhere: true });
  };
  using _layerLock = await partials.lockLayer(chainId, tellElsewhere, call);
  const isUnpacked = await deps.layers.has(chainId);
  if (isUnpacked && hasBlob(deps, layer) && isKnownPair(deps, digest, layer.diffId)) {
    tracker.layer(index, { status: 'exists', bytes: size, isElsewhere: false });
    return;
  }
  // A tree that is there is right, but these bytes may be another packing of it, or something else.
  const wantsTree = !isUnpacked;
  const blobLock = hasBlob(deps, layer)
    ? undefined
    : await partials.lockBlob(
        digest,
        () => {
          tellElsewhere();
          return hasBlob(deps, layer);
        },
        call,
      );
  try {
    if (blobLock === undefined || hasBlob(deps, layer)) {
      blobLock?.[Symbol.dispose]();
      await readStored(deps, layer, wantsTree, below, call);
    } else {
      await fetchLayer(deps, layer, { wantsTree, below, blobLock }, call);
    }
  } finally {
    blobLock?.[Symbol.dispose]();
  }
  tracker.layer(index, { status: isUnpacked ? 'exists' : 'done', bytes: size, isElsewhere: false });
}

function hasBlob({ content }: Pick<PullDeps, 'content'>, { digest, size }: LayerToPull): boolean {
  return content.find(digest)?.size === size;
}

/** Unpacks (or only checks) a layer whose blob is in the store. */
async function readStored(
  deps: PullDeps,
  layer: LayerToPull,
  wantsTree: boolean,
  below: Promise<void>,
  call: CallOptions,
): Promise<void> {
  const { index, digest, size } = layer;
  const file = { path: deps.content.path(digest), available: size };
  await using build = await deps.unpackSlots.run(async () => {
    deps.tracker.layer(index, { status: wantsTree ? 'extracting' : 'verifying', bytes: size, isElsewhere: false });
    const begun = await LayerBuild.begin(deps, layer, file, wantsTree, call);
    try {
      await settled(begun, call);
      return begun;
    } catch (error) {
      await begun[Symbol.asyncDispose]();
      throw error;
    }
  }, call);
  await build.assertGood();
  await build.finish(below, call);
}

interface Fetching {
  readonly wantsTree: boolean;
  readonly below: Promise<void>;
  /** Of the blob; it ends with the download, for others may only want the bytes. */
  readonly blobLock: Disposable;
}

/** Downloads, hashes and unpacks in one pass; once more from the beginning when what an earlier try left was bad. */
async function fetchLayer(deps: PullDeps, layer: LayerToPull, how: Fetching, call: CallOptions): Promise<void> {
  const { digest, size } = layer;
  const path = deps.partials.path(digest);
  if (deps.partials.size(digest) > size) deps.partials.delete(digest);
  const isResumed = deps.partials.size(digest) > 0;
  await using build = await deps.unpackSlots.run(() => fetchOnce(deps, layer, how.wantsTree, call), call);
  const actual = await build.digest();
  if (actual !== digest) {
    deps.partials.delete(digest);
    if (isResumed) {
      await build[Symbol.asyncDispose]();
      await fetchLayer(deps, layer, how, call);
      return;
    }
    throw engineError('DIGEST_MISMATCH', `content announced as ${digest} hashes to ${actual}`, {
      details: { expected: digest, actual },
    });
  }
  await build.assertGood().catch((error) => {
    deps.partials.delete(digest);
    throw error;
  });
  await deps.content.adopt(path, digest);
  how.blobLock[Symbol.dispose]();
  await build.finish(how.below, call);
}

async function fetchOnce(
  deps: PullDeps,
  layer: LayerToPull,
  wantsTree: boolean,
  call: CallOptions,
): Promise<LayerBuild> {
  const { index, digest, size } = layer;
  const { tracker } = deps;
  const path = deps.partials.path(digest);
  makeFile(path);
  const bytes = deps.partials.size(digest);
  tracker.layer(index, { status: 'waiting', bytes, isElsewhere: false });
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, ...(call.signal === undefined ? [] : [call.signal])]);
  const build = await LayerBuild.begin(deps, layer, { path, available: bytes, digest }, wantsTree, call);
  // A full disk ends the download too.
  build.read.catch((error) => stop.abort(error));
  try {
    await deps.downloadSlots.run(
      () =>
        downloadBlob(
          deps,
          layer,
          (here) => {
            build.feed(here);
            tracker.layer(index, { status: 'downloading', bytes: here });
          },
          { signal },
        ),
      { signal },
    );
    tracker.layer(index, { status: 'extracting', bytes: size });
    await settled(build, call);
    return build;
  } catch (error) {
    await build[Symbol.asyncDispose]();
    throw error;
  }
}

/** Waits until the file is read, or the call is aborted: then nothing of it runs on. */
async function settled(build: LayerBuild, call: CallOptions): Promise<void> {
  const stop = () => void build[Symbol.asyncDispose]();
  call.signal?.addEventListener('abort', stop, { once: true });
  try {
    if (call.signal?.aborted) stop();
    await build.read;
  } finally {
    call.signal?.removeEventListener('abort', stop);
  }
}

function makeFile(path: string): void {
  try {
    closeSync(openSync(path, 'a', 0o600));
  } catch (error) {
    throw ioError(error, 'partial blob', path);
  }
}
