import { existsSync, readdirSync, rmSync } from 'node:fs';
import type { ContainerDeps } from '../containers/deps.js';
import { repairLocked } from '../containers/durable/repair.js';
import { expireTombstones } from '../containers/durable/tombstones.js';
import { findDeadSessions, sweepSession } from '../containers/ephemeral/sweep.js';
import { isLive } from '../containers/status.js';
import { EngineError } from '../errors/index.js';
import { isAlive } from '../os/index.js';
import { withFileLock } from '../state/index.js';
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
 * What every open does: looks for what dead hosts have left, and takes up the containers that run. Reads no more than
 * that: sessions, intents and the run dir name all that can be unfinished.
 */
export async function recover(deps: RecoverDeps, call: CallOptions = {}): Promise<void> {
  const dead = findDeadSessions(deps.sessionsDir);
  if (dead.length > 0) {
    try {
      await withFileLock(deps.layout.runPath('recover.lock'), () => repairAfter(deps, dead), call);
    } finally {
      for (const session of dead) session.release();
    }
  }
  await takeUpContainers(deps, call);
}

async function repairAfter(deps: RecoverDeps, dead: ReturnType<typeof findDeadSessions>): Promise<void> {
  const { layout, config, cgroups, sessionsDir } = deps;
  const sweep = { sessionsDir, runDir: layout.run, cgroupParent: config.cgroupParent, cgroups };
  for (const session of dead) await sweepSession(sweep, session.dir);
  await undoCreates(deps);
  await deps.snapshotter.recover();
  await deps.recoverImages();
  expireTombstones(deps.tombstonesDir);
}

/** A create whose record is there is finished; any other is undone by name. */
async function undoCreates(deps: RecoverDeps): Promise<void> {
  for (const intent of deps.intents.list()) {
    if (isAlive(intent.owner)) continue;
    if (intent.verb === 'create' && intent.kind === 'container' && deps.repository.find(intent.id) === undefined) {
      await deps.snapshotter.remove(intent.id);
      rmSync(deps.repository.directory(intent.id), { recursive: true, force: true });
      for (const [name, id] of deps.names.list()) if (id === intent.id) deps.names.release(name, id);
    }
    intent.done();
  }
}

/** Running containers are watched again; others that have files in the run dir are repaired. */
async function takeUpContainers(deps: RecoverDeps, call: CallOptions): Promise<void> {
  const dir = deps.layout.runPath('containers');
  if (!existsSync(dir)) return;
  for (const id of readdirSync(dir)) {
    try {
      const record = deps.repository.find(id);
      if (record === undefined) continue;
      if (isLive(record.status) && record.task !== undefined && isAlive(record.task.init))
        deps.exits.watch(id, record.task);
      else if (await isIdle(deps, id))
        await deps.repository.withContainer(id, call, (locked) => repairLocked(deps, locked, call));
    } catch (error) {
      // One damaged container must not keep the others from being taken up.
      if (!EngineError.is(error, 'NOT_FOUND')) log('container %s could not be taken up: %o', id, error);
    }
  }
}

/** False while a live process holds the container's lock: what it does is no ruin. */
async function isIdle(deps: RecoverDeps, id: string): Promise<boolean> {
  return deps.repository.isUnlocked(id);
}
