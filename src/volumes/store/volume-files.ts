import { existsSync, mkdirSync, readdirSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { EngineError } from '../../errors/index.js';
import { ensureDirectory, FileLock, type Layout, RecordStore, syncDirectory } from '../../state/index.js';
import { SAFE_NAME } from '../../util/ids.js';
import type { CallOptions } from '../../util/signals.js';
import { DurableHolds } from './durable-holds.js';
import { Uses } from './uses.js';
import { parseVolumeRecord, serializeVolumeRecord, type VolumeRecord } from './volume-record.js';

interface Cached {
  readonly ino: number;
  readonly mtimeMs: number;
  readonly record: VolumeRecord;
}

/** A file that was just written may be replaced within the same tick of its clock: then only its content tells. */
const SETTLED_MS = 100;

/** Everything of one root's volumes that is on disk, and the lock of each. */
export class VolumeFiles {
  readonly holds: DurableHolds;
  readonly uses: Uses;
  readonly #dir: string;
  readonly #locks: string;
  readonly #durable: RecordStore<VolumeRecord>;
  readonly #volatile: RecordStore<VolumeRecord>;
  readonly #cache = new Map<string, Cached>();

  constructor(layout: Layout) {
    const dir = layout.dir('volumes');
    this.#dir = `${dir}/records`;
    this.#locks = layout.runPath('volumes', 'locks');
    const options = {
      dir: this.#dir,
      kind: 'volume',
      schemaVersion: 1,
      parse: parseVolumeRecord,
      serialize: serializeVolumeRecord,
    };
    this.#durable = new RecordStore({ ...options, durable: true });
    this.#volatile = new RecordStore({ ...options, durable: false });
    this.holds = new DurableHolds(`${dir}/holders`);
    this.uses = new Uses(layout.runPath('volumes', 'uses'));
    mkdirSync(this.#locks, { recursive: true, mode: 0o700 });
  }

  /** For work that a full disk leaves no other way to guard: others have to wait for it. */
  async lockedThroughout<T>(name: string, call: CallOptions, work: () => Promise<T>): Promise<T> {
    const path = `${this.#locks}/${name}`;
    const lock = await FileLock.acquire(path, call);
    try {
      return await work();
    } finally {
      if (!this.#isKnown(name)) this.#tidy(name, path);
      lock.release();
    }
  }

  /** Runs `work`, which can't wait for anything, under the volume's lock: short whatever a driver does. */
  async locked<T>(name: string, call: CallOptions, work: () => T): Promise<T> {
    const path = `${this.#locks}/${name}`;
    const lock = FileLock.tryAcquire(path) ?? (await FileLock.acquire(path, call));
    try {
      return work();
    } finally {
      if (!this.#isKnown(name)) this.#tidy(name, path);
      lock.release();
    }
  }

  /** Throws RECORD_CORRUPT once, when it moves a damaged file aside. */
  find(name: string): VolumeRecord | undefined {
    return this.#durable.find(name);
  }

  /** The caller holds the lock. */
  write(record: VolumeRecord): void {
    ensureDirectory(this.#dir);
    (record.owner !== undefined ? this.#volatile : this.#durable).write(record.name, record);
  }

  /** For one that was written without being flushed: now all of it survives. The caller holds the lock. */
  writeAnew(record: VolumeRecord): void {
    this.write(record);
    syncDirectory(this.#dir);
  }

  /** The caller holds the lock. */
  delete(record: VolumeRecord): void {
    (record.owner !== undefined ? this.#volatile : this.#durable).delete(record.name, { removeDir: true });
  }

  /**
   * Every record, or those of these names, and what could not be read. Files that have not changed since the last list
   * are not read again.
   */
  list(names?: readonly string[]): { records: VolumeRecord[]; problems: { name: string; error: EngineError }[] } {
    const records: VolumeRecord[] = [];
    const problems: { name: string; error: EngineError }[] = [];
    const seen = new Set<string>();
    for (const name of names ?? readdirSync(this.#dir)) {
      if (!SAFE_NAME.test(name)) continue;
      try {
        const record = this.#findCached(name);
        if (record === undefined) continue;
        records.push(record);
        seen.add(name);
      } catch (error) {
        if (!EngineError.is(error)) throw error;
        problems.push({ name, error });
      }
    }
    if (names !== undefined) return { records, problems };
    for (const name of this.#cache.keys()) if (!seen.has(name)) this.#cache.delete(name);
    return { records, problems };
  }

  /** Removes what writers left that were killed: temporary files, directories without a record, locks of nothing. */
  async sweep(call: CallOptions): Promise<void> {
    this.#durable.sweep();
    for (const name of this.#durable.directories()) {
      if (existsSync(`${this.#dir}/${name}/record.json`)) continue;
      await this.locked(name, call, () => removeIfEmpty(`${this.#dir}/${name}`));
    }
    for (const name of readdirSync(this.#locks)) {
      if (SAFE_NAME.test(name) && !this.#isKnown(name)) await this.locked(name, call, () => {});
    }
  }

  #findCached(name: string): VolumeRecord | undefined {
    const stat = statSync(`${this.#dir}/${name}/record.json`, { throwIfNoEntry: false });
    if (stat === undefined) return undefined;
    const { ino, mtimeMs } = stat;
    const cached = this.#cache.get(name);
    if (cached !== undefined && cached.ino === ino && cached.mtimeMs === mtimeMs) return cached.record;
    const record = this.#durable.find(name);
    if (record !== undefined && Math.abs(Date.now() - mtimeMs) > SETTLED_MS) {
      this.#cache.set(name, { ino, mtimeMs, record });
    } else this.#cache.delete(name);
    return record;
  }

  #isKnown(name: string): boolean {
    return existsSync(`${this.#dir}/${name}/record.json`) || this.holds.hasAny(name) || this.uses.list(name).length > 0;
  }

  #tidy(name: string, lockPath: string): void {
    this.uses.tidy(name);
    // The next in line sees that the file lost its name and makes another.
    rmSync(lockPath, { force: true });
  }
}

/** A record that was moved aside keeps its directory. */
function removeIfEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // It is in use by now, or gone.
  }
}
