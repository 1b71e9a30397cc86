import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { engineError, quote } from '../../errors/index.js';
import { isAlive } from '../../os/index.js';
import {
  FileLock,
  type IntentStore,
  type NameIndex,
  type RecordProblem,
  type RecordStore,
  resolveIdPrefix,
} from '../../state/index.js';
import { isFullId, SAFE_NAME } from '../../util/ids.js';
import { KeyedMutex } from '../../util/keyed-mutex.js';
import { type CallOptions, sleep } from '../../util/signals.js';
import { type EphemeralRecord, ephemeralDir, isEphemeralKnown, listEphemeralRecords } from '../ephemeral/record.js';
import type { ContainerRecord, LastExit } from '../record.js';
import { isLive } from '../status.js';
import { readTombstone, writeTombstone } from './tombstones.js';

export interface RepositoryDeps {
  readonly store: RecordStore<ContainerRecord>;
  readonly names: NameIndex;
  readonly intents: IntentStore;
  readonly locksDir: string;
  readonly tombstonesDir: string;
  readonly sessionsDir: string;
}

/** A container under its lock. */
export interface LockedContainer {
  readonly current: ContainerRecord;
  /** Writes the record with these fields changed; `undefined` removes a field. */
  save(change: { readonly [K in keyof ContainerRecord]?: ContainerRecord[K] | undefined }): void;
  /** Removes the record and all that only the repository keeps; the last act of `remove`. */
  erase(exit: LastExit | undefined): void;
}

/** The only way to the records of durable containers. */
export class ContainerRepository {
  readonly #deps: RepositoryDeps;
  readonly #mutex = new KeyedMutex();

  constructor(deps: RepositoryDeps) {
    this.#deps = deps;
  }

  /** Directory of a container's durable files. */
  directory(id: string): string {
    return this.#deps.store.directory(id);
  }

  /** Full id of a durable container by id, name or unique prefix. Throws CONTAINER_NOT_FOUND, AMBIGUOUS_ID. */
  resolve(reference: string): string {
    const id = this.findId(reference);
    if (id === undefined) {
      throw engineError('CONTAINER_NOT_FOUND', `container ${quote(reference)} does not exist`, {
        details: { container: reference },
      });
    }
    return id;
  }

  /** Like `resolve`, but `undefined` for one that does not exist. */
  findId(reference: string): string | undefined {
    if (isFullId(reference)) return this.find(reference) === undefined ? undefined : reference;
    const named = SAFE_NAME.test(reference) ? this.#deps.names.find(reference) : undefined;
    if (named !== undefined && this.find(named) !== undefined) return named;
    return /^[a-f0-9]{1,64}$/.test(reference)
      ? resolveIdPrefix(this.#deps.store.ids(), reference, 'container')
      : undefined;
  }

  find(id: string): ContainerRecord | undefined {
    return this.#deps.store.find(id);
  }

  read(id: string): ContainerRecord {
    const record = this.find(id);
    if (record === undefined) {
      throw engineError('CONTAINER_NOT_FOUND', `container ${quote(id)} does not exist`, { details: { container: id } });
    }
    return record;
  }

  list(): { records: Map<string, ContainerRecord>; problems: RecordProblem[] } {
    return this.#deps.store.list();
  }

  listEphemeral(): EphemeralRecord[] {
    return listEphemeralRecords(this.#deps.sessionsDir);
  }

  create(record: ContainerRecord): void {
    this.#deps.store.create(record.id, record);
  }

  /** True while something stands for the id: a record, a live throwaway container, or a live process that is making it. */
  isKnown(id: string): boolean {
    // The intent before the record: a creator writes the record before it drops the intent, so one of them is seen.
    if (this.#deps.intents.list().some((intent) => intent.id === id && isAlive(intent.owner))) return true;
    return this.#hasRecord(id) || isEphemeralKnown(this.#deps.sessionsDir, id);
  }

  #hasRecord(id: string): boolean {
    return existsSync(`${this.directory(id)}/record.json`);
  }

  /** Pid of the init of a running container, durable or throwaway. */
  async initPid(reference: string, _call: CallOptions): Promise<number | undefined> {
    const ephemeral = this.listEphemeral().find((record) => record.id === reference || record.name === reference);
    if (ephemeral !== undefined) return this.#ephemeralPid(ephemeral.id);
    const { status, task } = this.read(this.resolve(reference));
    return isLive(status) && task !== undefined && isAlive(task.init) ? task.init.pid : undefined;
  }

  #ephemeralPid(id: string): number | undefined {
    try {
      return Number(readFileSync(`${ephemeralDir(this.#deps.sessionsDir, id)}/pid`, 'latin1'));
    } catch {
      return undefined;
    }
  }

  /** Runs `work` with the container's lock held: first in this process, then among processes. Throws CONTAINER_NOT_FOUND. */
  withContainer<T>(id: string, call: CallOptions, work: (locked: LockedContainer) => Promise<T>): Promise<T> {
    return this.#mutex.run(
      id,
      async () => {
        const lockPath = `${this.#deps.locksDir}/${id}`;
        const lock = await FileLock.acquire(lockPath, call);
        try {
          let current = this.read(id);
          const { store, names } = this.#deps;
          const tombstone = (exit: LastExit): void => this.writeTombstone(id, exit);
          return await work({
            get current() {
              return current;
            },
            save(change) {
              current = withoutUndefined({ ...current, ...change }) as ContainerRecord;
              store.write(id, current);
            },
            erase(exit) {
              if (exit !== undefined) tombstone(exit);
              names.release(current.name, id);
              store.delete(id, { removeDir: true });
              rmSync(store.directory(id), { recursive: true, force: true });
              rmSync(lockPath, { force: true });
            },
          });
        } catch (error) {
          // A lock taken for a container that is gone must not leave its file behind.
          if (this.find(id) === undefined) rmSync(lockPath, { force: true });
          throw error;
        } finally {
          lock.release();
        }
      },
      call,
    );
  }

  /**
   * False while a living process works on the container. A child that its dead host was just spawning keeps the lock
   * until it has run its program: with `patienceMs` such a one is waited for.
   */
  async isUnlocked(id: string, patienceMs = 0): Promise<boolean> {
    const giveUpAt = performance.now() + patienceMs;
    for (;;) {
      const lock = FileLock.tryAcquire(`${this.#deps.locksDir}/${id}`);
      lock?.release();
      if (lock !== undefined) return true;
      if (performance.now() >= giveUpAt) return false;
      await sleep(5, { keepAlive: true });
    }
  }

  /**
   * Removes what dead processes have left of containers that nothing stands for any more: names, directories, locks,
   * temporary files. Safe beside living processes.
   */
  removeStrays(): void {
    const { names, intents, store, locksDir } = this.#deps;
    for (const [name, id] of names.list()) if (!this.isKnown(id)) names.release(name, id);
    for (const id of store.directories()) {
      if (isFullId(id) && !this.isKnown(id)) rmSync(this.directory(id), { recursive: true, force: true });
    }
    for (const id of readdirSync(locksDir)) {
      if (!isFullId(id) || this.isKnown(id)) continue;
      const path = `${locksDir}/${id}`;
      const lock = FileLock.tryAcquire(path);
      if (lock === undefined) continue;
      rmSync(path, { force: true });
      lock.release();
    }
    names.sweep();
    intents.sweep();
    store.sweep();
  }

  /** Keeps an exit for waiters in other processes after the container is removed. */
  writeTombstone(id: string, exit: LastExit): void {
    mkdirSync(this.#deps.tombstonesDir, { recursive: true, mode: 0o700 });
    writeTombstone(`${this.#deps.tombstonesDir}/${id}`, exit);
  }

  findTombstone(id: string): LastExit | undefined {
    return readTombstone(`${this.#deps.tombstonesDir}/${id}`);
  }
}

function withoutUndefined(record: object): object {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));
}
