import { statfsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { engineError, quote } from '../errors/index.js';
import { type CallOptions, raceSignal, sleep, throwIfAborted } from '../util/signals.js';
import { flockMethod } from './flock-method.js';
import { type HeldLock, type LockMethod, UnsupportedLock } from './lock-port.js';
import { LockQueue, type Turn } from './lock-queue.js';
import { lockfileMethod } from './lockfile-fallback.js';

export interface FileLockOptions extends CallOptions {
  /** How long to wait in all. Default 30 000. */
  readonly timeoutMs?: number;
  /** Several may hold it at once, none while one holds it exclusively. Default false. */
  readonly shared?: boolean;
  /** Default: `flock` where the file system has it, else `lockfile`. */
  readonly method?: 'flock' | 'lockfile';
}

const LONGEST_PAUSE_MS = 25;

// Every engine in this process must wait in the same line: the kernel tells processes apart, not engines. Empty when no lock is held.
const queue = new LockQueue();

/**
 * A lock between processes, named by the path of a lock file (made when missing, its directory is not).
 * Callers of one process get it in the order they came. It ends with its holder: the next one has it within 25 ms of
 * a SIGKILL. It is not reentrant. Hold it shortly, never over I/O that can hang.
 */
export class FileLock implements Disposable {
  readonly path: string;
  readonly #lock: HeldLock;
  readonly #turn: Turn;

  private constructor(path: string, lock: HeldLock, turn: Turn) {
    this.path = path;
    this.#lock = lock;
    this.#turn = turn;
  }

  /** Waits for the lock. Throws LOCK_TIMEOUT (details.holder), CANCELED, LOCK_UNSUPPORTED. */
  static async acquire(path: string, options: FileLockOptions = {}): Promise<FileLock> {
    const { signal, timeoutMs = 30_000, shared = false } = options;
    throwIfAborted(signal);
    const key = resolve(path);
    const deadline = performance.now() + timeoutMs;
    const turn = queue.enter(key, shared);
    try {
      if (!turn.granted) await waitForTurn(turn, key, options, timeoutMs);
      for (let pause = 1; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
        const lock = tryLock(key, options);
        if (lock !== undefined) return new FileLock(key, lock, turn);
        const left = deadline - performance.now();
        if (left <= 0) throw timeout(key, options, timeoutMs);
        // Someone awaits this: the timer may keep the process running, for timeoutMs at most.
        await sleep(Math.min(pause, left), { keepAlive: true, ...(signal === undefined ? {} : { signal }) });
      }
    } catch (error) {
      turn.leave();
      throw error;
    }
  }

  /** The lock if it is free now, else `undefined`. Never waits. */
  static tryAcquire(path: string, options: Omit<FileLockOptions, 'signal' | 'timeoutMs'> = {}): FileLock | undefined {
    const key = resolve(path);
    const turn = queue.tryEnter(key, options.shared ?? false);
    if (turn === undefined) return undefined;
    try {
      const lock = tryLock(key, options);
      if (lock !== undefined) return new FileLock(key, lock, turn);
      turn.leave();
      return undefined;
    } catch (error) {
      turn.leave();
      throw error;
    }
  }

  /** False after release, or when something removed the lock from outside (only the `lockfile` method can notice). */
  get held(): boolean {
    return this.#lock.held;
  }

  /** Throws LOCK_LOST unless still held; for long work, before it commits. */
  assertHeld(): void {
    if (this.held) return;
    throw engineError('LOCK_LOST', `lock ${quote(this.path)} is not held any more`, { details: { path: this.path } });
  }

  /** Idempotent, never throws. */
  release(): void {
    this.#lock.release();
    this.#turn.leave();
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

/** Runs `work` under the lock and releases it whatever happens. */
export async function withFileLock<T>(
  path: string,
  work: (lock: FileLock) => Promise<T> | T,
  options: FileLockOptions = {},
): Promise<T> {
  const lock = await FileLock.acquire(path, options);
  try {
    return await work(lock);
  } finally {
    lock.release();
  }
}

async function waitForTurn(turn: Turn, path: string, options: FileLockOptions, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    // allow timer: a caller waits for its turn, and `finally` clears it
    timer = setTimeout(() => reject(timeout(path, options, timeoutMs)), timeoutMs);
  });
  try {
    await raceSignal(Promise.race([turn.ready, late]), options.signal);
  } finally {
    clearTimeout(timer);
  }
}

function tryLock(path: string, options: FileLockOptions): HeldLock | undefined {
  const shared = options.shared ?? false;
  if (options.method === 'lockfile') return lockfileMethod.tryLock(path, shared);
  try {
    return flockMethod.tryLock(path, shared);
  } catch (error) {
    if (!(error instanceof UnsupportedLock)) throw error;
    if (options.method === undefined) return lockfileMethod.tryLock(path, shared);
    throw unsupported(path);
  }
}

function unsupported(path: string): Error {
  const type = `0x${statfsSync(dirname(path)).type.toString(16)}`;
  return engineError('LOCK_UNSUPPORTED', `file system ${type} of ${quote(path)} has no flock`, {
    details: { path, fileSystem: type },
  });
}

function timeout(path: string, options: FileLockOptions, timeoutMs: number): Error {
  const methods: LockMethod[] = options.method === 'lockfile' ? [lockfileMethod] : [flockMethod, lockfileMethod];
  const holder = methods.map((method) => method.holder(path)).find((found) => found !== undefined);
  const by = holder === undefined ? '' : ` by process ${holder.pid}`;
  return engineError('LOCK_TIMEOUT', `lock ${quote(path)} was held${by} for ${timeoutMs} ms`, {
    details: { path, timeoutMs, ...(holder === undefined ? {} : { holder }) },
  });
}
