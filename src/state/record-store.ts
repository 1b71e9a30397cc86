import { existsSync, readdirSync, readFileSync, rmdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type EngineError, engineError, quote } from '../errors/index.js';
import { errnoOf } from '../os/syscalls/index.js';
import { assertSafeName, SAFE_NAME } from '../util/ids.js';
import { createFileExclusive, removeStrayTempFiles, syncDirectory, writeFileAtomic } from './atomic-file.js';
import { ensureDirectory } from './directories.js';
import { decodeEnvelope, type Envelope, encodeEnvelope } from './envelope.js';
import { ioError } from './io-error.js';
import { readOrQuarantine } from './quarantine.js';

const RECORD_FILE = 'record.json';

export interface RecordStoreOptions<T> {
  /** Directory of this kind of record, from `layout.dir(kind)`; made when missing. */
  readonly dir: string;
  /** What one record is called in messages: "container", "image". */
  readonly kind: string;
  /** Format that this version writes. Records of an older one go to `parse` with their number, newer ones are refused. */
  readonly schemaVersion: number;
  /** Checks a record from disk and turns it into its form in memory; throws when it is not one. */
  readonly parse: (value: unknown, schemaVersion: number) => T;
  /** The reverse, to JSON data. Default: the value itself. */
  readonly serialize?: (value: T) => unknown;
  /** True: a write survives a power cut once it returned. */
  readonly durable: boolean;
}

/** One record that could not be read; the others are not affected. */
export interface RecordProblem {
  readonly id: string;
  readonly error: EngineError;
}

/** A record with the number of its last write. */
export interface Versioned<T> {
  readonly value: T;
  readonly generation: number;
}

/**
 * Records of one kind, one file each: `<dir>/<id>/record.json`. Every method is synchronous: such small files cost
 * 20–50 µs, an asynchronous call four times that. Reading needs no lock. Writers of one record must hold its
 * `FileLock`: the lock is owned by the kernel and can't be lost or stolen, so the generation is only compared, not
 * used as a fence. A damaged file is moved aside and reported, never replaced.
 */
export class RecordStore<T> {
  readonly #options: RecordStoreOptions<T>;

  constructor(options: RecordStoreOptions<T>) {
    this.#options = options;
    ensureDirectory(options.dir, { durable: options.durable });
  }

  /** Directory of one object: `<dir>/<id>`. Not made by this call. Throws BAD_NAME. */
  directory(id: string): string {
    assertSafeName(`${this.#options.kind} id`, id);
    return join(this.#options.dir, id);
  }

  /** The record, or `undefined`. Throws RECORD_CORRUPT, RECORD_UNKNOWN_FORMAT, BAD_NAME. */
  find(id: string): T | undefined {
    return this.findVersioned(id)?.value;
  }

  /** Like `find`, with the generation that `update` can be made to expect. */
  findVersioned(id: string): Versioned<T> | undefined {
    return this.#load(join(this.directory(id), RECORD_FILE), id);
  }

  /** Like `find`, but throws RECORD_NOT_FOUND. */
  read(id: string): T {
    return (this.findVersioned(id) ?? this.#notFound(id)).value;
  }

  /** Adds a record; exclusive between processes: throws RECORD_EXISTS for all but one. */
  create(id: string, value: T): void {
    const directory = this.directory(id);
    const text = this.#encode(1, value);
    const { durable, kind } = this.#options;
    let created: boolean | undefined;
    for (let attempt = 0; created === undefined; attempt++) {
      ensureDirectory(directory, { durable });
      try {
        created = createFileExclusive(join(directory, RECORD_FILE), text, { durable });
      } catch (error) {
        // Another process removed the directory of an older object with this id; make it again.
        if (errnoOf(error) !== 'ENOENT' || attempt === 3) throw error;
      }
    }
    if (created) return;
    throw engineError('RECORD_EXISTS', `${kind} ${quote(id)} exists`, { details: { kind, id } });
  }

  /** Replaces a record, or adds it. The caller holds the object's lock. */
  write(id: string, value: T): void {
    const directory = this.directory(id);
    const { durable } = this.#options;
    const generation = this.#generation(join(directory, RECORD_FILE));
    if (generation === 0) ensureDirectory(directory, { durable });
    try {
      writeFileAtomic(join(directory, RECORD_FILE), this.#encode(generation + 1, value), { durable });
    } catch (error) {
      if (generation === 0) removeIfEmpty(directory);
      throw error;
    }
  }

  /**
   * Reads, changes and writes a record; gives the new value. The caller holds the object's lock. With
   * `expectGeneration` it throws GENERATION_CONFLICT when someone wrote since. Throws RECORD_NOT_FOUND.
   */
  update(id: string, change: (value: T) => T, options: { readonly expectGeneration?: number } = {}): T {
    const path = join(this.directory(id), RECORD_FILE);
    const before = this.#load(path, id) ?? this.#notFound(id);
    this.#assertGeneration(id, options.expectGeneration ?? before.generation, before.generation);
    const value = change(before.value);
    this.#assertGeneration(id, before.generation, this.#generation(path));
    writeFileAtomic(path, this.#encode(before.generation + 1, value), { durable: this.#options.durable });
    return value;
  }

  /**
   * Removes the record; true when there was one. With `removeDir` the object's directory goes too: its files and
   * empty directories, but never the content of a directory, which may be a mount. Idempotent.
   */
  delete(id: string, options: { readonly removeDir?: boolean } = {}): boolean {
    const directory = this.directory(id);
    let removed = true;
    try {
      unlinkSync(join(directory, RECORD_FILE));
      if (this.#options.durable) syncDirectory(directory);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw ioError('remove', join(directory, RECORD_FILE), error);
      removed = false;
    }
    if (options.removeDir) removeFlatDirectory(directory);
    return removed;
  }

  /** Ids that have a record, readable or not. */
  ids(): string[] {
    return this.#names().filter((id) => existsSync(join(this.#options.dir, id, RECORD_FILE)));
  }

  /** Ids that have a directory, with a record or without. */
  directories(): string[] {
    return this.#names();
  }

  /** Every readable record by id, and what could not be read. */
  list(): { records: Map<string, T>; problems: RecordProblem[] } {
    const records = new Map<string, T>();
    const problems: RecordProblem[] = [];
    for (const id of this.#names()) {
      try {
        const found = this.#load(join(this.#options.dir, id, RECORD_FILE), id);
        if (found !== undefined) records.set(id, found.value);
      } catch (error) {
        problems.push({ id, error: error as EngineError });
      }
    }
    return { records, problems };
  }

  /** Removes temporary files that killed writers left. For recovery; returns how many. */
  sweep(): number {
    let removed = 0;
    for (const id of this.#names()) {
      try {
        removed += removeStrayTempFiles(join(this.#options.dir, id), 0);
      } catch {
        // Not a directory, or removed meanwhile: nothing to sweep.
      }
    }
    return removed;
  }

  #names(): string[] {
    try {
      return readdirSync(this.#options.dir).filter((name) => SAFE_NAME.test(name));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return [];
      throw ioError('list', this.#options.dir, error);
    }
  }

  #encode(generation: number, value: T): string {
    const { schemaVersion, serialize } = this.#options;
    return encodeEnvelope(schemaVersion, generation, serialize === undefined ? value : serialize(value));
  }

  #load(path: string, id: string): Versioned<T> | undefined {
    const envelope = this.#readEnvelope(path, id);
    if (envelope === undefined) return undefined;
    const { kind, schemaVersion, parse } = this.#options;
    const details = { kind, id, path, schema: envelope.schema };
    if (envelope.schema > schemaVersion) {
      const message = `${kind} ${quote(id)} has record format ${envelope.schema}, this version knows ${schemaVersion}`;
      throw engineError('RECORD_UNKNOWN_FORMAT', message, { details });
    }
    try {
      return { value: parse(envelope.record, envelope.schema), generation: envelope.generation };
    } catch (cause) {
      // Its checksum is right, so a version of caisson wrote it on purpose: not ours to move away from that version.
      throw engineError('RECORD_UNKNOWN_FORMAT', `${kind} ${quote(id)} has a record of another form`, {
        details,
        cause,
      });
    }
  }

  #readEnvelope(path: string, id: string): Envelope | undefined {
    // The short way for nearly every call; whatever is odd about the file is looked at again with care.
    const envelope = readQuickly(path);
    if (envelope !== 'look closer') return envelope;
    const result = this.#quarantining(path);
    if (result.status === 'missing') return undefined;
    if (result.status === 'ok') return result.value;
    const { kind } = this.#options;
    throw engineError('RECORD_CORRUPT', `the record of ${kind} ${quote(id)} is damaged`, {
      details: { kind, id, path, quarantine: result.quarantine },
    });
  }

  #quarantining(path: string) {
    try {
      return readOrQuarantine(path, decodeEnvelope);
    } catch (error) {
      throw ioError('read', path, error);
    }
  }

  /** Generation on disk; 0 when there is no record or a damaged one that a write may follow. */
  #generation(path: string): number {
    const result = this.#quarantining(path);
    return result.status === 'ok' ? result.value.generation : 0;
  }

  #assertGeneration(id: string, expected: number, found: number): void {
    if (expected === found) return;
    const { kind } = this.#options;
    const message = `${kind} ${quote(id)} is at generation ${found}, expected ${expected}`;
    throw engineError('GENERATION_CONFLICT', message, { details: { kind, id, expected, found } });
  }

  #notFound(id: string): never {
    const { kind } = this.#options;
    throw engineError('RECORD_NOT_FOUND', `there is no ${kind} ${quote(id)}`, { details: { kind, id } });
  }
}

function readQuickly(path: string): Envelope | undefined | 'look closer' {
  try {
    return decodeEnvelope(readFileSync(path, 'utf8')) ?? 'look closer';
  } catch (error) {
    const errno = errnoOf(error);
    return errno === 'ENOENT' || errno === 'ENOTDIR' ? undefined : 'look closer';
  }
}

/** The directory that was made for a record which then found no room. */
function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // It holds something else.
  }
}

function removeFlatDirectory(directory: string): void {
  try {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) rmdirSync(path);
      else unlinkSync(path);
    }
    rmdirSync(directory);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw ioError('remove', directory, error);
  }
}
