import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { identifyProcess, isAlive, type ProcessIdentity } from '../os/process-identity.js';
import { writeFileAtomic } from '../state/index.js';
import { newToken } from '../util/ids.js';
import type { CallOptions } from '../util/signals.js';
import { digestSchema } from './documents.js';
import type { Digest } from './types.js';

/** Runs short work under the store's lock. */
export type StoreLock = <T>(work: () => Promise<T>, call?: CallOptions) => Promise<T>;

const LEASE_FILE = /^([a-f0-9]{16})\.json$/;

const leaseSchema = v.object({
  owner: v.optional(v.object({ pid: v.number(), startTime: v.string(), bootId: v.string() })),
  protects: v.array(digestSchema),
  keepUntil: v.optional(v.string()),
});

/** How long what an unfinished pull brought is kept for the next one. */
export const KEEP_MS = 24 * 3600 * 1000;

type LeaseFile = v.InferOutput<typeof leaseSchema>;

/** What live imports need, whatever the records say. */
export interface LiveLeases {
  readonly tokens: ReadonlySet<string>;
  readonly digests: ReadonlySet<Digest>;
}

/**
 * Leases: a file per running import that names the blobs and chain ids it needs. Garbage collection leaves those alone
 * as long as the import's process lives. All changes happen under the store's lock, so that a collector sees a lease
 * before the import decides that content is there already.
 */
export class Leases {
  readonly #dir: string;
  readonly #lock: StoreLock;
  // Leases are never durable: after a power cut their owners are dead anyway.
  readonly #self: ProcessIdentity;

  constructor(dir: string, lock: StoreLock) {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    this.#dir = dir;
    this.#lock = lock;
    this.#self = identifyProcess(process.pid) as ProcessIdentity;
  }

  /**
   * Takes a lease; it must be released. With `keeps` its content outlives the process's death by a day, for whoever
   * begins the same work again.
   */
  async take(call: CallOptions & { readonly keeps?: boolean } = {}): Promise<Lease> {
    const token = newToken();
    const protects = new Set<Digest>();
    const keepUntil = call.keeps ? new Date(Date.now() + KEEP_MS).toISOString() : undefined;
    const write = (owner: ProcessIdentity | undefined) =>
      writeFileAtomic(join(this.#dir, `${token}.json`), JSON.stringify({ owner, protects: [...protects], keepUntil }), {
        durable: false,
      });
    const save = () => write(this.#self);
    await this.#lock(async () => save(), call);
    return {
      token,
      protect: async (digests, later = {}) => {
        const missing = digests.filter((digest) => !protects.has(digest));
        if (missing.length === 0) return;
        for (const digest of missing) protects.add(digest);
        await this.#lock(async () => save(), later);
      },
      keep: async (later = {}) => {
        if (protects.size > 0) await this.#lock(async () => write(undefined), later);
        else rmSync(join(this.#dir, `${token}.json`), { force: true });
      },
      release: () => rmSync(join(this.#dir, `${token}.json`), { force: true }),
    };
  }

  /**
   * Marks that the caller, who holds the store's lock, changes records; dispose what it returns when it is done. Whoever
   * finds the mark of a dead process sweeps what the change left half done.
   */
  markChange(): Disposable {
    const path = join(this.#dir, `${newToken()}.json`);
    writeFileAtomic(path, JSON.stringify({ owner: this.#self, protects: [] }), { durable: false });
    return { [Symbol.dispose]: () => rmSync(path, { force: true }) };
  }

  /** Reads the leases of live owners and drops those of dead ones. Call it under the store's lock. */
  readLive(): LiveLeases {
    const tokens = new Set<string>();
    const digests = new Set<Digest>();
    for (const name of readdirSync(this.#dir)) {
      const token = LEASE_FILE.exec(name)?.[1];
      // Leases are written under the lock that the caller holds: a temporary file has no living writer.
      const path = join(this.#dir, name);
      const lease = token === undefined ? undefined : readLease(path);
      const isLive = lease?.owner !== undefined && isAlive(lease.owner);
      if (token === undefined || lease === undefined || !(isLive || isKept(lease))) {
        rmSync(path, { force: true });
        continue;
      }
      if (isLive) tokens.add(token);
      // From now on it is only kept: nobody has to look for its owner again.
      else if (lease.owner !== undefined) {
        writeFileAtomic(path, JSON.stringify({ ...lease, owner: undefined }), { durable: false });
      }
      for (const digest of lease.protects) digests.add(digest);
    }
    return { tokens, digests };
  }

  /** True when a lease of a dead process is there: its import left something half done. */
  hasDead(): boolean {
    return readdirSync(this.#dir).some((name) => {
      if (!LEASE_FILE.test(name)) return isStrayTemp(name);
      const lease = readLease(join(this.#dir, name));
      if (lease?.owner === undefined) return lease === undefined || !isKept(lease);
      return !isAlive(lease.owner);
    });
  }

  /** Ends what was kept and names nothing but these digests: a pull that is done has them in its record. */
  dropKept(digests: ReadonlySet<Digest>): void {
    for (const name of readdirSync(this.#dir)) {
      if (!LEASE_FILE.test(name)) continue;
      const path = join(this.#dir, name);
      const lease = readLease(path);
      if (lease === undefined || lease.owner !== undefined) continue;
      if (lease.protects.every((digest) => digests.has(digest))) rmSync(path, { force: true });
    }
  }
}

function isKept({ keepUntil, protects }: LeaseFile): boolean {
  return keepUntil !== undefined && protects.length > 0 && Date.parse(keepUntil) > Date.now();
}

/** One import's claim on content. */
export interface Lease {
  readonly token: string;
  /** Adds digests of blobs or chain ids; returns once every collector respects them. */
  protect(digests: readonly Digest[], call?: CallOptions): Promise<void>;
  /** Ends the work, but keeps the content for a day. */
  keep(call?: CallOptions): Promise<void>;
  /** Ends the lease. Idempotent. */
  release(): void;
}

/** A temporary file whose writer, by the pid in its name, is gone. */
function isStrayTemp(name: string): boolean {
  const pid = /\.(\d+)\.[a-f0-9]+\.tmp$/.exec(name)?.[1];
  return pid === undefined || identifyProcess(Number(pid)) === undefined;
}

function readLease(path: string): LeaseFile | undefined {
  try {
    const result = v.safeParse(leaseSchema, JSON.parse(readFileSync(path, 'utf8')));
    return result.success ? result.output : undefined;
  } catch {
    return undefined;
  }
}
