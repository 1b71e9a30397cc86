import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { engineError, quote } from '../errors/index.js';
import { identifyProcess, makePrivateDir, type ProcessIdentity } from '../os/index.js';
import { formatOwner } from '../os/step-owner.js';
import { errnoOf, syncfsAsync } from '../os/syscalls/index.js';
import { removeTree } from '../os/trees/remove-tree.js';
import { newToken } from '../util/ids.js';
import { type CallOptions, throwIfAborted } from '../util/signals.js';
import { fsError } from './fs-error.js';
import { decodeKey, encodeKey } from './names.js';
import { formatMeta, readMeta, type SnapshotMeta } from './snapshot-meta.js';

/** Where a snapshot's files are. */
export interface SnapshotPaths {
  readonly directory: string;
  /** The tree itself. */
  readonly fs: string;
  /** The overlay work directory; only some active ones have it. */
  readonly work: string;
  readonly meta: string;
}

/**
 * The directories that both snapshotters keep. A snapshot is a directory with `fs/` and `meta.json`; each step that
 * makes, commits or removes one is a single rename:
 *
 * - `staging/<process>.<token>` → `active/<key>` → `committed/<name>`
 * - `active/<key>` → `trash/<token>`; `committed/<name>` → `removing/<process>.<token>/<name>` → `trash/<token>`
 *
 * Names under `staging` and `removing` tell whose they are, so that `recover` finishes only what the dead left.
 */
export class SnapshotStore {
  readonly dir: string;
  readonly trash: string;
  readonly staging: string;
  readonly removing: string;
  readonly #active: string;
  readonly #committed: string;
  // Random names cost more than the renames they are for: one random part and a number serve as well.
  readonly #token = newToken();
  #uses = 0;
  #self: ProcessIdentity | undefined;

  constructor(dir: string) {
    this.dir = dir;
    this.#active = join(dir, 'active');
    this.#committed = join(dir, 'committed');
    this.staging = join(dir, 'staging');
    this.removing = join(dir, 'removing');
    this.trash = join(dir, 'trash');
    for (const one of [dir, this.#active, this.#committed, this.staging, this.removing, this.trash])
      makePrivateDir(one);
  }

  active(key: string): SnapshotPaths {
    return pathsIn(`${this.#active}/${encodeKey(key)}`);
  }

  committed(name: string): SnapshotPaths {
    return pathsIn(`${this.#committed}/${encodeKey(name)}`);
  }

  /** This process, as `recover` of another one must know it. */
  get self(): ProcessIdentity {
    this.#self ??= identifyProcess(process.pid) as ProcessIdentity;
    return this.#self;
  }

  /** A name under `staging` or `removing` that tells whose step it is. */
  newStep(): string {
    return `${formatOwner(this.self)}.${this.#newName()}`;
  }

  /** A path in the trash that nothing has. */
  newPiece(): string {
    return `${this.trash}/${this.#newName()}`;
  }

  #newName(): string {
    return `${this.#token}-${(this.#uses++).toString(36)}`;
  }

  hasCommitted(name: string): boolean {
    return statSync(this.committed(name).directory, { throwIfNoEntry: false }) !== undefined;
  }

  hasActive(key: string): boolean {
    return statSync(this.active(key).directory, { throwIfNoEntry: false }) !== undefined;
  }

  /** Meta of an active snapshot or view. Throws SNAPSHOT_NOT_FOUND, SNAPSHOT_CORRUPT. */
  readActive(key: string): SnapshotMeta {
    const meta = readMeta(this.active(key).meta);
    if (meta === undefined) throw notFound(key);
    return meta;
  }

  /** Meta of a committed snapshot. Throws SNAPSHOT_NOT_FOUND, SNAPSHOT_CORRUPT. */
  readCommitted(name: string): SnapshotMeta {
    const meta = readMeta(this.committed(name).meta);
    if (meta === undefined) throw notFound(name);
    return meta;
  }

  /**
   * Makes the active snapshot `key`: `fill` makes its tree in a private place, then it appears whole. Throws
   * SNAPSHOT_EXISTS, and SNAPSHOT_NOT_FOUND when the parent goes away meanwhile.
   */
  async create(
    key: string,
    meta: SnapshotMeta,
    fill: (staged: SnapshotPaths, final: SnapshotPaths) => Promise<void> | undefined,
    call: CallOptions,
  ): Promise<void> {
    const staged = pathsIn(`${this.staging}/${this.newStep()}`);
    try {
      mkdirSync(staged.directory, { mode: 0o700 });
      const filled = fill(staged, this.active(key));
      if (filled !== undefined) await filled;
      writeFileSync(staged.meta, formatMeta(meta), { mode: 0o600 });
      if (this.hasCommitted(key)) throw exists(key);
      this.#publish(staged, key);
    } catch (error) {
      await removeTree(staged.directory, this.trash);
      // A parent that went away while it was read may be there again by now, made anew by another process.
      if (meta.parent !== undefined && (errnoOf(error) === 'ENOENT' || !this.hasCommitted(meta.parent))) {
        throw notFound(meta.parent, 'parent');
      }
      throw fsError('making', key, error, staged.directory);
    }
    // Looked for after the child can be seen: whoever removes the parent hides it first and looks for children then.
    if (meta.parent !== undefined && !this.hasCommitted(meta.parent)) {
      await this.removeActive(key, call);
      throw notFound(meta.parent, 'parent');
    }
  }

  #publish(staged: SnapshotPaths, key: string): void {
    try {
      renameSync(staged.directory, this.active(key).directory);
    } catch (error) {
      if (isTaken(error)) throw exists(key);
      throw error;
    }
  }

  /** Turns the active snapshot into a committed one, durably. False when `name` is there already. */
  async commit(name: string, key: string, call: CallOptions): Promise<boolean> {
    const from = this.active(key);
    try {
      await syncTree(from);
      throwIfAborted(call.signal);
      renameSync(from.directory, this.committed(name).directory);
      syncDirectory(this.#committed);
      syncDirectory(this.#active);
    } catch (error) {
      if (isTaken(error)) return false;
      throw fsError('committing', key, error, from.directory);
    }
    const left = this.committed(name).work;
    await removeTree(left, this.trash);
    return true;
  }

  /** Removes an active snapshot; false when there is none. */
  async removeActive(key: string, call: CallOptions): Promise<boolean> {
    const piece = this.newPiece();
    try {
      renameSync(this.active(key).directory, piece);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return false;
      throw fsError('removing', key, error);
    }
    await this.emptyPiece(piece, key, call);
    return true;
  }

  /** Frees the space of something that was moved to the trash. */
  async emptyPiece(piece: string, key: string, call: CallOptions): Promise<void> {
    try {
      await removeTree(piece, this.trash, call);
    } catch (error) {
      throw fsError('removing', key, error);
    }
  }

  listActive(): string[] {
    return listKeys(this.#active);
  }

  listCommitted(): string[] {
    return listKeys(this.#committed);
  }
}

export function pathsIn(directory: string): SnapshotPaths {
  return { directory, fs: `${directory}/fs`, work: `${directory}/work`, meta: `${directory}/meta.json` };
}

export function listKeys(directory: string): string[] {
  return readdirSync(directory)
    .map(decodeKey)
    .filter((key) => key !== undefined);
}

export function notFound(key: string, role = 'snapshot'): Error {
  return engineError('SNAPSHOT_NOT_FOUND', `${role} ${quote(key)} does not exist`, { details: { key } });
}

export function exists(key: string): Error {
  return engineError('SNAPSHOT_EXISTS', `snapshot ${quote(key)} exists already`, { details: { key } });
}

// A rename onto a directory that is not empty.
function isTaken(error: unknown): boolean {
  const errno = errnoOf(error);
  return errno === 'ENOTEMPTY' || errno === 'EEXIST';
}

// The tree before its record, the record before the name: after a power loss a name never stands for half a tree.
async function syncTree(paths: SnapshotPaths): Promise<void> {
  const fd = openSync(paths.directory, 'r');
  try {
    await syncfsAsync(fd);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function syncDirectory(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
