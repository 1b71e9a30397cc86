import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { FileLock } from '../../state/index.js';
import { type CallOptions, sleep } from '../../util/signals.js';
import type { Digest } from '../types.js';

/** How often a waiter looks whether the other one is done, and how far it is. */
const LOOK_MS = 20;

/**
 * Blobs that are being downloaded, by their digest, so that whoever wants one next goes on where the last one stopped.
 * Whoever holds a blob's lock may write its file; the kernel frees the lock with the process that dies. What is in a
 * file is hashed from its beginning before it is believed.
 */
export class PartialBlobs {
  readonly #dir: string;

  constructor(dir: string) {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    this.#dir = dir;
  }

  path(digest: Digest): string {
    return join(this.#dir, nameOf(digest));
  }

  /** Bytes of a blob that are here; 0 when there are none. */
  size(digest: Digest): number {
    return statSync(this.path(digest), { throwIfNoEntry: false })?.size ?? 0;
  }

  delete(digest: Digest): void {
    rmSync(this.path(digest), { force: true });
  }

  /** Waits until nobody else downloads the blob; `whileHeld` is called now and then, and ends the waiting by `true`. */
  lockBlob(digest: Digest, whileHeld: () => boolean, call: CallOptions = {}): Promise<Disposable | undefined> {
    return this.#lock(`${nameOf(digest)}.lock`, whileHeld, call);
  }

  /** Waits until nobody else gets or unpacks the layer with this chain id. */
  lockLayer(chainId: Digest, whileHeld: () => void, call: CallOptions = {}): Promise<Disposable> {
    const look = () => {
      whileHeld();
      return false;
    };
    return this.#lock(`layer-${nameOf(chainId)}.lock`, look, call) as Promise<Disposable>;
  }

  async #lock(name: string, whileHeld: () => boolean, call: CallOptions): Promise<Disposable | undefined> {
    const path = join(this.#dir, name);
    for (;;) {
      const lock = FileLock.tryAcquire(path);
      if (lock !== undefined) return new RemovedLock(lock);
      if (whileHeld()) return undefined;
      await sleep(LOOK_MS, { ...call, keepAlive: true });
    }
  }

  /** Deletes what nobody works on and nobody added to for `ageMs`. */
  sweep(ageMs: number): void {
    const before = Date.now() - ageMs;
    for (const name of readdirSync(this.#dir)) {
      const path = join(this.#dir, name);
      const isLock = name.endsWith('.lock');
      if (!isLock && (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0) > before) continue;
      const lock = FileLock.tryAcquire(isLock ? path : `${path}.lock`);
      if (lock === undefined) continue;
      if (!isLock) rmSync(path, { force: true });
      new RemovedLock(lock)[Symbol.dispose]();
    }
  }
}

/** A lock whose file goes with it: who waits on the old file notices that it has no name any more. */
class RemovedLock implements Disposable {
  readonly #lock: FileLock;

  constructor(lock: FileLock) {
    this.#lock = lock;
  }

  [Symbol.dispose](): void {
    if (this.#lock.held) rmSync(this.#lock.path, { force: true });
    this.#lock.release();
  }
}

function nameOf(digest: Digest): string {
  return digest.replace(':', '-');
}
