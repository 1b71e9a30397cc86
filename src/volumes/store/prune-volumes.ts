import { EngineError, engineError, quote } from '../../errors/index.js';
import { assertKnownOptions, type KnownOptions } from '../../util/known-options.js';
import { checkBoolean } from './check-options.js';
import type { StoreDeps } from './deps.js';
import { checkLabels, hasLabel, hasLabels } from './filters.js';
import { listVolumes } from './list-volumes.js';
import { removeVolume } from './remove-volume.js';
import type { PruneReport, PruneVolumesOptions, Volume } from './types.js';
import { sizeOf } from './volume-usage.js';

const KNOWN: KnownOptions<PruneVolumesOptions> = {
  signal: true,
  all: true,
  driver: true,
  labels: true,
  labelsNot: true,
  withOptions: true,
  filter: true,
  dryRun: true,
};

/**
 * Removes volumes that nobody holds. One that somebody takes, or that is made anew, between being chosen and being
 * removed is left alone. Aborting it gives the report of what was done until then.
 */
export async function pruneVolumes(deps: StoreDeps, options: PruneVolumesOptions): Promise<PruneReport> {
  check(options);
  const { signal, dryRun = false, driver = 'local', all = false } = options;
  const call = signal === undefined ? {} : { signal };
  const { volumes, warnings } = await listVolumes(deps, {
    ...call,
    driver,
    dangling: true,
    ...(!all && { anonymous: true }),
  });
  const removed: { name: string; sizeBytes: number | undefined }[] = [];
  const failed: { name: string; error: Error }[] = [];
  let reclaimedBytes = 0;
  let complete = true;
  for (const volume of volumes.filter((volume) => isChosen(deps, volume, options))) {
    complete = signal?.aborted !== true;
    if (!complete) break;
    try {
      const instance = deps.files.find(volume.name)?.instance;
      const sizeBytes = await sizeOf(deps, volume, call);
      if (!dryRun) await removeVolume(deps, volume.name, { ...call, ...(instance !== undefined && { instance }) });
      removed.push({ name: volume.name, sizeBytes });
      reclaimedBytes += sizeBytes ?? 0;
    } catch (error) {
      if (signal?.aborted) complete = false;
      else if (!isTaken(error)) failed.push({ name: volume.name, error: error as Error });
    }
  }
  if (!dryRun && removed.length > 0) {
    deps.emit({ type: 'volume', action: 'prune', id: '', attributes: { reclaimed: String(reclaimedBytes) } });
  }
  return { removed, reclaimedBytes, failed, complete, warnings };
}

function isChosen(deps: StoreDeps, volume: Volume, options: PruneVolumesOptions): boolean {
  const { labels = {}, labelsNot = {}, withOptions = false, filter } = options;
  const isElsewhere = deps.drivers.same(volume.driver, 'local') && Object.keys(volume.options).length > 0;
  return (
    (withOptions || !isElsewhere) &&
    hasLabels(volume, labels) &&
    !Object.entries(labelsNot).some(([key, value]) => hasLabel(volume, key, value)) &&
    (filter === undefined || filter(volume) === true)
  );
}

/** Somebody was faster: it is held now, or gone. */
function isTaken(error: unknown): boolean {
  return EngineError.is(error, 'CONFLICT', 'VOLUME_IN_USE') || EngineError.is(error, 'NOT_FOUND', 'VOLUME_NOT_FOUND');
}

function check(options: PruneVolumesOptions): void {
  assertKnownOptions(options, KNOWN);
  for (const field of ['all', 'withOptions', 'dryRun'] as const) {
    if (options[field] !== undefined) checkBoolean(field, options[field]);
  }
  checkLabels('labels', options.labels);
  checkLabels('labelsNot', options.labelsNot);
  if (options.filter === undefined || typeof options.filter === 'function') return;
  throw engineError('BAD_OPTION', `field filter ${quote(options.filter)} is not a function`, {
    details: { field: 'filter' },
  });
}
