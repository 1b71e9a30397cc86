import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import type { ContainerDeps } from '../containers/deps.js';
import { isUnfinished, repairLocked } from '../containers/durable/repair.js';
import { expireTombstones } from '../containers/durable/tombstones.js';
import { findDeadSessions, sweepSession } from '../containers/ephemeral/sweep.js';
import type { ContainerRecord } from '../containers/record.js';
import { isLive } from '../containers/status.js';
import { releaseVolumes, removeAnonymous, type UsedVolume, usedVolumes } from '../containers/volumes/take-volumes.js';
import { removeStrayThrowawayVolumes } from '../containers/volumes/throwaway-volumes.js';
import { EngineError } from '../errors/index.js';
import { isAlive } from '../os/index.js';
import { type IntentRecord, withFileLock } from '../state/index.js';
import { isFullId } from '../util/ids.js';
import { createLog } from '../util/log.js';
import type { CallOptions } from '../util/signals.js';

export interface RecoverDeps extends ContainerDeps {
  readonly sessionsDir: string;
  readonly tombstonesDir: string;
  /** Undoes half-made imports. */
  readonly recoverImages: () => Promise<unknown>;
}

/** A piece of repair; it may be done at any time, and by several processes. */
export type LaterWork = (call: CallOptions) => Promise<void>;

const log = createLog('recover');

/**
 * What every open does. Only when a host has died, or the run dir is new (a reboot: what died then left no session), is
 * there anything to look for on disk; else the run dir names the containers that are to be taken up.
 *
 * Gives the work that asks volume drivers, for after the open: one that does not answer must not keep a root closed.
 */
export async function recover(deps: RecoverDeps, call: CallOptions = {}): Promise<readonly LaterWork[]> {
  const later: LaterWork[] = [];
  const dead = findDeadSessions(deps.sessionsDir);
  const doneMark = deps.layout.runPath('recovered');
  try {
    if (dead.length > 0 || !existsSync(doneMark)) {
      await withFileLock(deps.layout.runPath('recover.lock'), () => repairAfter(deps, dead, later, call), call);
      writeFileSync(doneMark, '', { mode: 0o600 });
    } else {
      await takeUpContainers(deps, later, call);
    }
  } finally {
    for (const session of dead) session.release();
  }
  return later;
}

async function repairAfter(
  deps: RecoverDeps,
  dead: ReturnType<typeof findDeadSessions>,
  later: LaterWork[],
  call: CallOptions,
): Promise<void> {
  const { config, cgroups } = deps;
  for (const session of dead) await sweepSession({ cgroupParent: config.cgroupParent, cgroups }, session.dir);
  for (const record of deps.repository.list().records.values()) await takeUp(deps, record, later, call);
  // A create whose record is there is finished; of any other, what it made is now nobody's.
  for (const intent of deps.intents.list()) if (!isAlive(intent.owner)) undoIntent(deps, intent, later);
  await removeStraySnapshots(deps);
  await removeStrayThrowawayVolumes(deps.layout, (id) => deps.repository.isKnown(id));
  deps.repository.removeStrays();
  await deps.snapshotter.recover();
  await deps.recoverImages();
  expireTombstones(deps.tombstonesDir);
}

/** Volumes that a dead process took for a container that there is not, or that was a throwaway one, are given back. */
function undoIntent(deps: RecoverDeps, intent: IntentRecord, later: LaterWork[]): void {
  const volumes = (intent.data as { readonly volumes?: readonly UsedVolume[] } | undefined)?.volumes ?? [];
  if (volumes.length === 0 || deps.repository.find(intent.id) !== undefined) {
    intent.done();
    return;
  }
  later.push(async (call) => {
    await releaseVolumes(deps.volumes, volumes, intent.id, call);
    await removeAnonymous(deps.volumes, volumes, call);
    intent.done();
  });
}

/** Roots of containers that nothing stands for any more. */
async function removeStraySnapshots(deps: RecoverDeps): Promise<void> {
  for (const { key, kind } of await deps.snapshotter.list()) {
    if (kind === 'active' && isFullId(key) && !deps.repository.isKnown(key)) await deps.snapshotter.remove(key);
  }
}

async function takeUpContainers(deps: RecoverDeps, later: LaterWork[], call: CallOptions): Promise<void> {
  const dir = deps.layout.runPath('containers');
  if (!existsSync(dir)) return;
  for (const id of readdirSync(dir)) {
    try {
      const record = deps.repository.find(id);
      if (record !== undefined) await takeUp(deps, record, later, call);
    } catch (error) {
      log('container %s could not be read: %o', id, error);
    }
  }
}

/** A running container is watched again; one that is neither here nor there is repaired. */
async function takeUp(
  deps: RecoverDeps,
  record: ContainerRecord,
  later: LaterWork[],
  call: CallOptions,
): Promise<void> {
  const { id, status, task } = record;
  if (isLive(status) && task !== undefined && isAlive(task.init)) {
    deps.exits.watch(id, task);
    return;
  }
  // What a living process does to it under its lock is no ruin.
  if (!isUnfinished(record) || !deps.repository.isUnlocked(id)) return;
  const repair: LaterWork = (repairCall) =>
    deps.repository.withContainer(id, repairCall, (locked) => repairLocked(deps, locked, repairCall));
  if (usedVolumes(record.mounts ?? []).some(({ driver }) => driver !== 'local')) later.push(repair);
  else await doAnyway(repair, call);
}

/** Does the work that `recover` has put off. */
export async function doLater(work: readonly LaterWork[], call: CallOptions): Promise<void> {
  for (const step of work) {
    if (call.signal?.aborted) return;
    await doAnyway(step, call).catch(() => {});
  }
}

/** One damaged container must not keep the others from being taken up. */
async function doAnyway(work: LaterWork, call: CallOptions): Promise<void> {
  try {
    await work(call);
  } catch (error) {
    if (call.signal?.aborted) throw error;
    if (!EngineError.is(error, 'NOT_FOUND')) log('a container could not be taken up: %o', error);
  }
}
