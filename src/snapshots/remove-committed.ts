import { mkdirSync, readdirSync, renameSync, rmdirSync } from 'node:fs';
import { engineError, quote } from '../errors/index.js';
import { errnoOf } from '../os/syscalls/index.js';
import { TimeSlices } from '../os/trees/time-slices.js';
import type { CallOptions } from '../util/signals.js';
import { fsError } from './fs-error.js';
import { encodeKey } from './names.js';
import { readMeta } from './snapshot-meta.js';
import { listKeys, pathsIn, type SnapshotStore } from './snapshot-store.js';

/**
 * Removes a committed snapshot; false when there is none. Throws SNAPSHOT_IN_USE with the children.
 *
 * Against a child that another process makes at the same time: the snapshot is hidden first and children are looked
 * for then, while the maker of a child shows it first and looks for the parent then. One of the two sees the other.
 */
export async function removeCommitted(store: SnapshotStore, name: string, call: CallOptions): Promise<boolean> {
  if (!store.hasCommitted(name)) return false;
  await assertNoChildren(store, name, call);
  const hiding = `${store.removing}/${store.newStep()}`;
  const hidden = `${hiding}/${encodeKey(name)}`;
  try {
    mkdirSync(hiding, { mode: 0o700 });
    try {
      renameSync(store.committed(name).directory, hidden);
    } catch (error) {
      rmdirSync(hiding);
      if (errnoOf(error) === 'ENOENT') return false;
      throw error;
    }
  } catch (error) {
    throw fsError('removing', name, error);
  }
  await settleHidden(store, hiding, name, call);
  return true;
}

/** Decides about a hidden snapshot: back to its place when it has children (throws SNAPSHOT_IN_USE), else to the trash. */
export async function settleHidden(
  store: SnapshotStore,
  hiding: string,
  name: string,
  call: CallOptions,
): Promise<void> {
  const hidden = `${hiding}/${encodeKey(name)}`;
  const piece = store.newPiece();
  try {
    await assertNoChildren(store, name, call);
  } catch (error) {
    try {
      renameSync(hidden, store.committed(name).directory);
    } catch {
      // Committed again meanwhile: the children have what they need, and this one is a copy of it.
      renameSync(hidden, piece);
      await store.emptyPiece(piece, name, {});
    }
    rmdirSync(hiding);
    throw error;
  }
  try {
    renameSync(hidden, piece);
    rmdirSync(hiding);
  } catch (error) {
    throw fsError('removing', name, error);
  }
  await store.emptyPiece(piece, name, call);
}

async function assertNoChildren(store: SnapshotStore, name: string, call: CallOptions): Promise<void> {
  const children = new Set<string>();
  const slices = new TimeSlices(call);
  // Children move from active to committed, and to and from removing: this order meets each of them at least once.
  for (const list of [hiddenOnes, activeOnes, committedOnes, hiddenOnes]) {
    for (const [key, meta] of list(store)) {
      if (slices.due) await slices.pause();
      if (key !== name && parentIn(meta) === name) children.add(key);
    }
  }
  if (children.size === 0) return;
  const sorted = [...children].sort();
  throw engineError('SNAPSHOT_IN_USE', `snapshot ${quote(name)} has ${sorted.length} children`, {
    details: { key: name, children: sorted },
  });
}

type Found = readonly [key: string, metaPath: string];

function activeOnes(store: SnapshotStore): Found[] {
  return store.listActive().map((key) => [key, store.active(key).meta]);
}

function committedOnes(store: SnapshotStore): Found[] {
  return store.listCommitted().map((key) => [key, store.committed(key).meta]);
}

function hiddenOnes(store: SnapshotStore): Found[] {
  return readdirSync(store.removing).flatMap((step) => {
    const hiding = `${store.removing}/${step}`;
    try {
      return listKeys(hiding).map((key): Found => [key, pathsIn(`${hiding}/${encodeKey(key)}`).meta]);
    } catch {
      return [];
    }
  });
}

// What can't be read has no parent that anything could still be made of.
function parentIn(metaPath: string): string | undefined {
  try {
    return readMeta(metaPath)?.parent;
  } catch {
    return undefined;
  }
}
