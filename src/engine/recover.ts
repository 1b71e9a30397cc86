import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import type { ContainerDeps } from '../containers/deps.js';
import { isUnfinished, repairLocked } from '../containers/durable/repair.js';
import { expireTombstones } from '../containers/durable/tombstones.js';
import { findDeadSessions, sweepSession } from '../containers/ephemeral/sweep.js';
import type { ContainerRecord } from '../containers/record.js';
import { isLive } from '../containers/status.js';
import { releaseVolumes, removeAnonymous, type UsedVolume } from '../containers/volumes/take-volumes.js';
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

const log = createLog('recover');

/**
 * What every open does. Only when a host has died, or the run dir is new (a reboot: what died then left no session), is
 * there anything to look for on disk; else the run dir names the containers that are to be taken up.
 */
export async function recover(deps: RecoverDeps, call: CallOptions = {}): Promise<void> {
  const dead = findDeadSessions(deps.sessionsDir);
  const doneMark = deps.layout.runPath('recovered');
  try {
    if (dead.length > 0 || !existsSync(doneMark)) {
      await withFileLock(deps.layout.runPath('recover.lock'), () => repairAfter(deps, dead, call), call);
      writeFileSync(doneMark, '', { mode: 0o600 });
    } else {
      await takeUpContainers(deps, call);
    }
  } finally {
    for (const session of dead) session.release();
  }
}

async function repairAfter(
  deps: RecoverDeps,
  dead: ReturnType<typeof findDeadSessions>,
  call: CallOptions,
): Promise<void> {
  const { config, cgroups } = deps;
  for (const session of dead) await sweepSession({ cgroupParent: config.cgroupParent, cgroups }, session.dir);
  for (const record of deps.repository.list().records.values()) await takeUp(deps, record, call);
  // A create whose record is there is finished; of any other, what it made is now nobody's.
  for (const intent of deps.intents.list()) if (!isAlive(intent.owner)) await undoIntent(deps, intent, call);
  await removeStraySnapshots(deps);
  await removeStrayThrowawayVolumes(deps.layout, (id) => deps.repository.isKnown(id));
  deps.repository.removeStrays();
  await deps.snapshotter.recover();
  await deps.recoverImages();
  expireTombstones(deps.tombstonesDir);
}

/** Volumes that a dead process took for a container that there is not, or that was a throwaway one. */
async function undoIntent(deps: RecoverDeps, intent: IntentRecord, call: CallOptions): Promise<void> {
  const volumes = (intent.data as { readonly volumes?: readonly UsedVolume[] } | undefined)?.volumes ?? [];
  try {
    if (volumes.length > 0 && deps.repository.find(intent.id) === undefined) {
      await releaseVolumes(deps.volumes, volumes, intent.id, call);
      await removeAnonymous(deps.volumes, volumes, call);
    }
  } catch (error) {
    if (call.signal?.aborted) throw error;
    // Its driver is away: the next repair tries again.
    log('volumes of container %s: %o', intent.id, error);
    return;
  }
  intent.done();
}

/** Roots of containers that nothing stands for any more. */
async function removeStraySnapshots(deps: RecoverDeps): Promise<void> {
  for (const { key, kind } of await deps.snapshotter.list()) {
    if (kind === 'active' && isFullId(key) && !deps.repository.isKnown(key)) await deps.snapshotter.remove(key);
  }
}

async function takeUpContainers(deps: RecoverDeps, call: CallOptions): Promise<void> {
  const dir = deps.layout.runPath('containers');
  if (!existsSync(dir)) return;
  for (const id of readdirSync(dir)) {
    try {
      const record = deps.repository.find(id);
      if (record !== undefined) await takeUp(deps, record, call);
    } catch (error) {
      log('container %s could not be read: %o', id, error);
    }
  }
}

/** A running container is watched again; one that is neither here nor there is repaired. */
async function takeUp(deps: RecoverDeps, record: ContainerRecord, call: CallOptions): Promise<void> {
  const { id, status, task } = record;
  if (isLive(status) && task !== undefined && isAlive(task.init)) {
    deps.exits.watch(id, task);
    return;
  }
  // What a living process does to it under its lock is no ruin.
  if (!isUnfinished(record) || !deps.repository.isUnlocked(id)) return;
  try {
    await deps.repository.withContainer(id, call, (locked) => repairLocked(deps, locked, call));
  } catch (error) {
    if (call.signal?.aborted) throw error;
    // One damaged container must not keep the others from being taken up.
    if (!EngineError.is(error, 'NOT_FOUND')) log('container %s could not be taken up: %o', id, error);
  }
}
