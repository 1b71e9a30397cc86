import type { CallOptions } from '../util/signals.js';
import { chainIdsOf } from './digest.js';
import type { ImageDeps } from './image-deps.js';
import { blobsOf } from './image-record.js';
import type { Digest } from './types.js';

export type GarbageDeps = Pick<ImageDeps, 'images' | 'content' | 'layers' | 'leases'>;

/** What may have become garbage. */
export interface Candidates {
  readonly blobs: Iterable<Digest>;
  /** Chain ids in any order. */
  readonly layers: Iterable<Digest>;
}

/**
 * Removes those candidates that no image record and no live lease needs. The caller holds the store's lock.
 * A layer that a container stands on stays. Nothing is removed while an image record can't be read: it may need it.
 */
export async function collectGarbage(deps: GarbageDeps, candidates: Candidates, call: CallOptions = {}): Promise<void> {
  const { records, problems } = deps.images.list();
  if (problems.length > 0) return;
  const needed = new Set<Digest>();
  for (const record of records.values()) {
    for (const digest of blobsOf(record)) needed.add(digest);
    for (const chainId of chainIdsOf(record.diffIds)) needed.add(chainId);
  }
  // What an unfinished pull left has become part of images.
  deps.leases.dropKept(needed);
  for (const digest of deps.leases.readLive().digests) needed.add(digest);
  // A layer's blob and its chain id may be the same digest: each is looked up in its own place.
  for (const digest of candidates.blobs) if (!needed.has(digest)) deps.content.delete(digest);
  await removeLayers(deps, new Set([...candidates.layers].filter((chainId) => !needed.has(chainId))), call);
}

/** Removes layers, upper ones before those they stand on, which the snapshotter tells us by refusing. */
async function removeLayers(deps: GarbageDeps, layers: Set<Digest>, call: CallOptions): Promise<void> {
  for (let progress = true; progress && layers.size > 0; ) {
    progress = false;
    for (const chainId of [...layers].reverse()) {
      if (!(await deps.layers.remove(chainId, call))) continue;
      layers.delete(chainId);
      progress = true;
    }
  }
}
