import { readdirSync, renameSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError } from '../errors/index.js';
import { isAlive } from '../os/index.js';
import { isOwnerAlive } from '../os/step-owner.js';
import { errnoOf } from '../os/syscalls/index.js';
import type { Log } from '../util/log.js';
import { settleHidden } from './remove-committed.js';
import { readMeta } from './snapshot-meta.js';
import { listKeys, type SnapshotStore } from './snapshot-store.js';

/** Finishes or undoes the steps of dead processes and empties the trash. Safe beside living processes and to repeat. */
export async function recoverStore(store: SnapshotStore, log: Log): Promise<void> {
  for (const step of readdirSync(store.removing)) {
    if (!isOwnerAlive(step)) await settleStep(store, join(store.removing, step), log);
  }
  for (const step of readdirSync(store.staging)) {
    if (!isOwnerAlive(step)) discard(store, join(store.staging, step), log);
  }
  for (const key of store.listActive()) {
    if (isAbandoned(store, key, log)) discard(store, store.active(key).directory, log);
  }
  for (const piece of readdirSync(store.trash)) {
    await store
      .emptyPiece(join(store.trash, piece), piece, {})
      .catch((error) => log('trash %s stays: %s', piece, error));
  }
}

async function settleStep(store: SnapshotStore, hiding: string, log: Log): Promise<void> {
  for (const name of listKeys(hiding)) {
    log('settling the removal of %s', name);
    await settleHidden(store, hiding, name, {}).catch((error) => {
      if (!EngineError.is(error, 'CONFLICT')) throw error;
    });
  }
  try {
    rmdirSync(hiding);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') log('%s stays: %s', hiding, error);
  }
}

function discard(store: SnapshotStore, directory: string, log: Log): void {
  log('discarding %s', directory);
  try {
    renameSync(directory, store.newPiece());
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

function isAbandoned(store: SnapshotStore, key: string, log: Log): boolean {
  try {
    const meta = readMeta(store.active(key).meta);
    // Snapshots appear with their record: one without it is what a sweeper did not finish to remove.
    return meta === undefined || (meta.owner !== undefined && !isAlive(meta.owner));
  } catch (error) {
    // A record torn by a power loss. Its tree may be a durable container's data, so a person decides about it.
    log('snapshot %s has no readable record: %s', key, error);
    return false;
  }
}
