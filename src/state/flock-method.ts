import { closeSync, constants, fstatSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { errnoOf, flock } from '../os/syscalls/index.js';
import { ioError } from './io-error.js';
import { encodeOwner, liveOwner, ownIdentity } from './lock-owner.js';
import { type HeldLock, type LockMethod, UnsupportedLock } from './lock-port.js';

const UNSUPPORTED = new Set(['ENOLCK', 'ENOSYS', 'EOPNOTSUPP', 'ENOTSUP', 'EINVAL']);

/**
 * flock(2): the kernel owns the lock and frees it in the moment the holder dies. There is no expiry that a stalled
 * or stopped holder could miss, so nobody can take it away.
 */
export const flockMethod: LockMethod = {
  tryLock(path, shared) {
    for (;;) {
      const fd = open(path);
      let kept = false;
      try {
        if (!tryFlock(fd, shared)) return undefined;
        // Whoever held it before may have removed the file: then this lock guards a name nobody else can find.
        if (!stillNamed(fd, path)) continue;
        if (!shared) writeOwner(fd);
        kept = true;
        return hold(fd);
      } finally {
        if (!kept) closeSync(fd);
      }
    }
  },
  holder(path) {
    try {
      return liveOwner(readFileSync(path, 'utf8'));
    } catch {
      return undefined;
    }
  },
};

function open(path: string): number {
  try {
    return openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  } catch (error) {
    throw ioError('open lock', path, error);
  }
}

function tryFlock(fd: number, shared: boolean): boolean {
  try {
    return flock(fd, shared ? 'shared' : 'exclusive', { nonBlocking: true });
  } catch (error) {
    if (UNSUPPORTED.has(errnoOf(error) ?? '')) throw new UnsupportedLock();
    throw error;
  }
}

function stillNamed(fd: number, path: string): boolean {
  const mine = fstatSync(fd);
  const named = statSync(path, { throwIfNoEntry: false });
  return named !== undefined && named.ino === mine.ino && named.dev === mine.dev;
}

function writeOwner(fd: number): void {
  try {
    writeSync(fd, encodeOwner(ownIdentity()), 0);
  } catch {
    // Only a message wants it; a full disk must not stop the lock.
  }
}

function hold(fd: number): HeldLock {
  let open = true;
  return {
    get held() {
      return open;
    },
    release() {
      if (!open) return;
      open = false;
      closeSync(fd);
    },
  };
}
