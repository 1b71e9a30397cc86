import { readdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { type EngineError, engineError, quote } from '../errors/index.js';
import type { ProcessIdentity } from '../os/process-identity.js';
import { errnoOf } from '../os/syscalls/index.js';
import { assertSafeName, newToken } from '../util/ids.js';
import { createFileExclusive, removeStrayTempFiles, syncDirectory } from './atomic-file.js';
import { ensureDirectory } from './directories.js';
import { decodeEnvelope, type Envelope, encodeEnvelope } from './envelope.js';
import { ioError } from './io-error.js';
import { readOrQuarantine } from './quarantine.js';

const SCHEMA = 1;
const Stored = v.object({
  verb: v.string(),
  kind: v.string(),
  id: v.string(),
  owner: v.object({ pid: v.number(), startTime: v.string(), bootId: v.string() }),
  startedAt: v.string(),
  data: v.optional(v.unknown()),
});

export interface IntentRequest {
  /** What is being done: "create", "remove". A safe name. */
  readonly verb: string;
  /** Kind of object: "container", "image". */
  readonly kind: string;
  /** Id of the object. A safe name. */
  readonly id: string;
  /** The process that does it; when it is dead, whoever opens the root repairs. */
  readonly owner: ProcessIdentity;
  /** JSON data that the repair needs: names of mounts, snapshots… */
  readonly data?: unknown;
  /** Survives a power cut (default true). */
  readonly durable?: boolean;
}

/** An intent as found on disk. */
export interface IntentRecord {
  readonly verb: string;
  readonly kind: string;
  readonly id: string;
  readonly owner: ProcessIdentity;
  readonly startedAt: Date;
  readonly data: unknown;
  /** Removes it: the work is finished or undone. Idempotent. */
  done(): void;
}

/** A begun intent. */
export interface Intent {
  /** Removes it: the work is finished or undone. Idempotent. */
  done(): void;
}

/** An intent file that could not be read. */
export interface IntentProblem {
  readonly file: string;
  readonly error: EngineError;
}

/**
 * What processes are about to do, one file each (`<dir>/<id>.<verb>.<token>.json`), written before the effects and
 * removed after them. Those whose owner is dead are what recovery has to finish or undo.
 */
export class IntentStore {
  readonly #dir: string;

  constructor(options: { readonly dir: string }) {
    this.#dir = options.dir;
    ensureDirectory(options.dir, { durable: true });
  }

  /** Writes the intent; when this returns the effects may begin. */
  begin(request: IntentRequest): Intent {
    const { verb, kind, id, owner, data, durable = true } = request;
    assertSafeName('verb', verb);
    assertSafeName(`${kind} id`, id);
    const path = join(this.#dir, `${id}.${verb}.${newToken()}.json`);
    const record = { verb, kind, id, owner, startedAt: new Date().toISOString(), data };
    const text = encodeEnvelope(SCHEMA, 1, record);
    if (!createFileExclusive(path, text, { durable })) throw engineError('BUG', `intent ${quote(path)} exists`);
    return { done: () => this.#remove(path, durable) };
  }

  /** Every readable intent; damaged ones are moved aside and left out (`scan` reports them). */
  list(): IntentRecord[] {
    return this.scan().intents;
  }

  /** Every readable intent, and the files that could not be read. */
  scan(): { intents: IntentRecord[]; problems: IntentProblem[] } {
    const intents: IntentRecord[] = [];
    const problems: IntentProblem[] = [];
    for (const name of this.#files()) {
      const path = join(this.#dir, name);
      try {
        const found = this.#load(path);
        if (found !== undefined) intents.push(found);
      } catch (error) {
        problems.push({ file: path, error: error as EngineError });
      }
    }
    return { intents, problems };
  }

  /** Removes temporary files that killed writers left; returns how many. */
  sweep(): number {
    return removeStrayTempFiles(this.#dir, 0);
  }

  #files(): string[] {
    try {
      return readdirSync(this.#dir).filter((name) => name.endsWith('.json') && !name.startsWith('.'));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return [];
      throw ioError('list', this.#dir, error);
    }
  }

  #load(path: string): IntentRecord | undefined {
    const envelope = this.#envelope(path);
    if (envelope === undefined) return undefined;
    const parsed = v.safeParse(Stored, envelope.record);
    if (envelope.schema > SCHEMA || !parsed.success) {
      throw engineError('RECORD_UNKNOWN_FORMAT', `intent ${quote(path)} has another form`, {
        details: { path, schema: envelope.schema },
      });
    }
    const { verb, kind, id, owner, startedAt, data } = parsed.output;
    const done = () => this.#remove(path, true);
    return { verb, kind, id, owner, startedAt: new Date(startedAt), data, done };
  }

  #envelope(path: string): Envelope | undefined {
    try {
      const result = readOrQuarantine(path, decodeEnvelope);
      if (result.status === 'missing') return undefined;
      if (result.status === 'ok') return result.value;
      throw engineError('RECORD_CORRUPT', `intent ${quote(path)} is damaged`, {
        details: { path, quarantine: result.quarantine },
      });
    } catch (error) {
      throw errnoOf(error) === undefined ? error : ioError('read', path, error);
    }
  }

  // Without the directory sync a power cut could bring back an intent whose object was since made anew.
  #remove(path: string, durable: boolean): void {
    try {
      unlinkSync(path);
      if (durable) syncDirectory(this.#dir);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw ioError('remove', path, error);
    }
  }
}
