import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError, engineError, quote } from '../errors/index.js';
import { makePrivateDir } from '../os/index.js';
import { createLog, type Log } from '../util/log.js';
import { OverlaySnapshotter } from './overlay-snapshotter.js';
import { type OverlayProbe, probeOverlay } from './probe-overlay.js';
import type { Snapshotter } from './snapshotter.js';
import { VfsSnapshotter } from './vfs-snapshotter.js';

/** @public */
export interface ChooseSnapshotterOptions {
  /** `auto`: the one whose snapshots the directory holds, else overlay where it works, else vfs. @defaultValue `auto` */
  readonly preference?: 'auto' | 'overlay' | 'vfs';
  /** Parent of the snapshotters' own directories (`overlay`, `vfs`). */
  readonly dir: string;
  readonly log?: Log;
  /** Replaces the probe of the kernel, for tests. */
  readonly probe?: (dir: string) => Promise<OverlayProbe>;
}

/** Opens the snapshotter that fits the host. Throws NO_SNAPSHOTTER when the one asked for does not work here. */
export async function chooseSnapshotter(options: ChooseSnapshotterOptions): Promise<Snapshotter> {
  const { preference = 'auto', dir, log = createLog('snapshots') } = options;
  makePrivateDir(dir);
  const overlay = { dir: join(dir, 'overlay'), log };
  const vfs = { dir: join(dir, 'vfs'), log };
  if (preference === 'vfs') return VfsSnapshotter.open(vfs);
  if (preference !== 'auto' && preference !== 'overlay') {
    throw engineError('NO_SNAPSHOTTER', `snapshotter ${quote(preference)} is unknown`, {
      details: { preference: quote(preference) },
    });
  }
  // Layers of one kind mean nothing to the other: a root that began with vfs stays with it until someone asks otherwise.
  if (preference === 'auto' && holdsLayers(vfs.dir) && !holdsLayers(overlay.dir)) return VfsSnapshotter.open(vfs);
  const probe = await (options.probe ?? probeOverlay)(dir);
  if (probe.usable) return OverlaySnapshotter.open({ ...overlay, volatileSupported: probe.volatileSupported });
  if (preference === 'auto' && !holdsLayers(overlay.dir)) {
    log('overlay does not work on %s, taking vfs: %s', dir, probe.error);
    return VfsSnapshotter.open(vfs);
  }
  const errno = EngineError.is(probe.error) ? probe.error.details['errno'] : undefined;
  const because = probe.error instanceof Error ? probe.error.message : String(probe.error);
  throw engineError('NO_SNAPSHOTTER', `overlay does not work on ${quote(dir)} (${because})`, {
    details: { dir, errno },
    cause: probe.error,
  });
}

function holdsLayers(dir: string): boolean {
  const committed = join(dir, 'committed');
  return existsSync(committed) && readdirSync(committed).length > 0;
}
