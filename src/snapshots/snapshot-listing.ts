import type { Log } from '../util/log.js';
import { readMeta } from './snapshot-meta.js';
import type { SnapshotStore } from './snapshot-store.js';
import type { SnapshotInfo } from './snapshotter.js';

/** The snapshot of this key or name. Throws SNAPSHOT_CORRUPT. */
export function findSnapshot(store: SnapshotStore, key: string): SnapshotInfo | undefined {
  const active = readMeta(store.active(key).meta);
  if (active !== undefined) return { key, kind: active.kind, parent: active.parent };
  const committed = readMeta(store.committed(key).meta);
  return committed && { key, kind: 'committed', parent: committed.parent };
}

/** All snapshots, sorted by key; one without a readable record is logged and left out. */
export function listSnapshots(store: SnapshotStore, log: Log): SnapshotInfo[] {
  const found: SnapshotInfo[] = [];
  for (const key of new Set([...store.listActive(), ...store.listCommitted()])) {
    try {
      const info = findSnapshot(store, key);
      if (info !== undefined) found.push(info);
    } catch (error) {
      log('snapshot %s is left out of the list: %s', key, error);
    }
  }
  return found.sort((a, b) => (a.key < b.key ? -1 : 1));
}
