import type { CallOptions } from '../util/signals.js';
import { collectGarbage } from './collect-garbage.js';
import type { ImageDeps } from './image-deps.js';

/**
 * Removes what imports of dead processes left: unfinished files, half unpacked layers, content that no image has.
 * With nothing left by anyone it only looks at two directories.
 */
export async function recoverImages(deps: ImageDeps, call: CallOptions = {}): Promise<void> {
  if (!deps.leases.hasDead() && !deps.content.hasUnfinished()) return;
  await sweepImages(deps, call);
}

/** Removes everything that neither an image nor a running import needs. */
export async function sweepImages(deps: ImageDeps, call: CallOptions = {}): Promise<void> {
  await deps.lock(async () => {
    const live = deps.leases.readLive().tokens;
    deps.content.sweepIngest(live);
    const { layers, stale } = await deps.layers.survey(live);
    for (const key of stale) await deps.layers.removeStale(key);
    const blobs = deps.content.list().map((blob) => blob.digest);
    await collectGarbage(deps, { blobs, layers }, call);
    deps.images.sweep();
    deps.tags.sweep();
  }, call);
}
