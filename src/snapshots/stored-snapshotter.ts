import { statSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { engineError, quote } from '../errors/index.js';
import type { Mount } from '../os/index.js';
import type { Log } from '../util/log.js';
import { type CallOptions, throwIfAborted } from '../util/signals.js';
import { assertSnapshotKey } from './names.js';
import { recoverStore } from './recover-store.js';
import { removeCommitted } from './remove-committed.js';
import { findSnapshot, listSnapshots } from './snapshot-listing.js';
import type { SnapshotMeta } from './snapshot-meta.js';
import { exists, notFound, type SnapshotPaths, type SnapshotStore } from './snapshot-store.js';
import type { LayerTarget, PrepareOptions, SnapshotInfo, Snapshotter, SnapshotUsage } from './snapshotter.js';
import { treeUsage } from './tree-usage.js';

/** What a snapshotter that keeps directories does its own way. Every parent it is given has been looked for. */
export interface TreeScheme {
  readonly name: string;
  /** Makes the tree of a new snapshot in `paths`, and returns what mounts it once it stands at `final`. */
  makeTree(paths: SnapshotPaths, final: SnapshotPaths, meta: SnapshotMeta, call: CallOptions): MadeTree;
  mounts(paths: SnapshotPaths, meta: SnapshotMeta): readonly Mount[];
  layerTarget(paths: SnapshotPaths, meta: SnapshotMeta): LayerTarget;
  /** Throws when the tree must not be removed now. */
  assertRemovable(key: string, paths: SnapshotPaths): void;
  /** A committed snapshot is gone. */
  forget(name: string): void;
  /** Part of recovery: clears what the scheme keeps beside the snapshots. */
  sweep(): void;
}

export interface MadeTree {
  /** Settles when the tree is whole; absent when it is already. */
  readonly done?: Promise<void>;
  readonly mounts: readonly Mount[];
}

/** The rules of the contract, over one directory of snapshots. */
export class StoredSnapshotter implements Snapshotter {
  readonly name: string;
  readonly #store: SnapshotStore;
  readonly #scheme: TreeScheme;
  readonly #log: Log;

  protected constructor(store: SnapshotStore, scheme: TreeScheme, log: Log) {
    this.name = scheme.name;
    this.#store = store;
    this.#scheme = scheme;
    this.#log = log;
  }

  async prepare(key: string, parent: string | undefined, options: PrepareOptions = {}): Promise<readonly Mount[]> {
    return await this.#make(key, { kind: 'active', parent }, options);
  }

  async view(key: string, parent: string, options: PrepareOptions = {}): Promise<readonly Mount[]> {
    assertSnapshotKey('parent', parent);
    return await this.#make(key, { kind: 'view', parent }, options);
  }

  async #make(key: string, wanted: SnapshotMeta, options: PrepareOptions): Promise<readonly Mount[]> {
    throwIfAborted(options.signal);
    assertSnapshotKey('key', key);
    if (wanted.parent !== undefined) assertSnapshotKey('parent', wanted.parent);
    const lower = options.lowerDirectory;
    if (lower !== undefined) assertLowerDirectory(lower, wanted);
    const meta: SnapshotMeta = {
      ...wanted,
      ...(lower === undefined ? {} : { lowerDirectory: lower }),
      ...(options.volatile && wanted.kind === 'active' ? { volatile: true } : {}),
      ...(options.transient ? { owner: this.#store.self } : {}),
    };
    let mounts: readonly Mount[] = [];
    await this.#store.create(
      key,
      meta,
      (staged, final) => {
        const made = this.#scheme.makeTree(staged, final, meta, options);
        mounts = made.mounts;
        return made.done;
      },
      options,
    );
    return mounts;
  }

  async commit(name: string, key: string, call: CallOptions = {}): Promise<void> {
    throwIfAborted(call.signal);
    assertSnapshotKey('name', name);
    assertSnapshotKey('key', key);
    if (this.#store.hasCommitted(name)) {
      await this.#store.removeActive(key, call);
      return;
    }
    const meta = this.#store.readActive(key);
    if (meta.kind === 'view') throw readOnly(key);
    if (meta.lowerDirectory !== undefined) {
      throw engineError(
        'SNAPSHOT_NOT_COMMITTABLE',
        `snapshot ${quote(key)} is built on ${quote(meta.lowerDirectory)}`,
        {
          details: { key, lowerDirectory: meta.lowerDirectory },
        },
      );
    }
    if (name !== key && this.#store.hasActive(name)) throw exists(name);
    if (!(await this.#store.commit(name, key, call))) await this.#store.removeActive(key, call);
  }

  async mounts(key: string): Promise<readonly Mount[]> {
    assertSnapshotKey('key', key);
    return this.#scheme.mounts(this.#store.active(key), this.#store.readActive(key));
  }

  async layerTarget(key: string): Promise<LayerTarget> {
    assertSnapshotKey('key', key);
    const meta = this.#store.readActive(key);
    if (meta.kind === 'view') throw readOnly(key);
    return this.#scheme.layerTarget(this.#store.active(key), meta);
  }

  async remove(key: string, call: CallOptions = {}): Promise<void> {
    throwIfAborted(call.signal);
    assertSnapshotKey('key', key);
    this.#scheme.assertRemovable(key, this.#store.active(key));
    if (await this.#store.removeActive(key, call)) return;
    if (await removeCommitted(this.#store, key, call)) this.#scheme.forget(key);
  }

  async find(key: string): Promise<SnapshotInfo | undefined> {
    assertSnapshotKey('key', key);
    return findSnapshot(this.#store, key);
  }

  async list(): Promise<readonly SnapshotInfo[]> {
    return listSnapshots(this.#store, this.#log);
  }

  async usage(key: string, call: CallOptions = {}): Promise<SnapshotUsage> {
    throwIfAborted(call.signal);
    const found = await this.find(key);
    if (found === undefined) throw notFound(key);
    if (found.kind === 'view') return { bytes: 0, inodes: 0 };
    const paths = found.kind === 'committed' ? this.#store.committed(key) : this.#store.active(key);
    return await treeUsage(paths.fs, call);
  }

  ownPaths(key: string): readonly string[] {
    assertSnapshotKey('key', key);
    return [this.#store.active(key).directory];
  }

  async recover(): Promise<void> {
    await recoverStore(this.#store, this.#log);
    this.#scheme.sweep();
  }
}

function assertLowerDirectory(path: string, wanted: SnapshotMeta): void {
  if (wanted.parent !== undefined) {
    throw engineError('CONFLICTING_OPTIONS', `lowerDirectory ${quote(path)} and a parent exclude each other`);
  }
  if (!isAbsolute(path) || path.includes('\0') || !isDirectory(path)) {
    throw engineError('BAD_OPTION', `lowerDirectory ${quote(path)} is not the absolute path of a directory`, {
      details: { field: 'lowerDirectory', value: quote(path) },
    });
  }
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function readOnly(key: string): Error {
  return engineError('SNAPSHOT_READ_ONLY', `snapshot ${quote(key)} is a view`, { details: { key } });
}
