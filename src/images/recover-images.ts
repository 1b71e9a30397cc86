import { readdirSync, rmdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type RecordStore, removeStrayTempFiles } from '../state/index.js';
import type { CallOptions } from '../util/signals.js';
import { collectGarbage } from './collect-garbage.js';
import type { ImageDeps } from './image-deps.js';
import { KEEP_MS } from './leases.js';

/**
 * Removes what imports of dead processes left: unfinished files, half unpacked layers, content that no image has.
 * With nothing left by anyone it only looks at two directories.
 */
export async function recoverImages(deps: ImageDeps, call: CallOptions = {}): Promise<void> {
  deps.partials.sweep(KEEP_MS);
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
    sweepRecords(deps.images);
    sweepRecords(deps.tags);
  }, call);
}

/**
 * Removes what killed writers left beside records, and directories that then hold nothing. Records change only under
 * the lock that is held here, so no temporary file has a living writer. Files moved aside as damaged stay.
 */
function sweepRecords<T>(records: RecordStore<T>): void {
  const parent = dirname(records.directory('any'));
  for (const id of readdirSync(parent)) {
    const dir = join(parent, id);
    removeStrayTempFiles(dir, 0);
    try {
      rmdirSync(dir);
    } catch {
      // It has a record, or a damaged one.
    }
  }
}
