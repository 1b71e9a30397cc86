import { existsSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { engineError, quote } from '../errors/index.js';
import { errnoOf } from '../os/syscalls/index.js';
import { newToken } from '../util/ids.js';
import { ioError } from './io-error.js';
import { decodeOwner, encodeOwner, liveOwner, ownerState, ownIdentity } from './lock-owner.js';
import type { HeldLock, LockMethod } from './lock-port.js';
import { currentOwner, dropOwnership, takeOwnership } from './owned-directory.js';
import { loadProperLockfile } from './proper-lockfile.js';

const STALE_MS = 30_000;
const UPDATE_MS = 3_000;

/**
 * The lock for file systems without flock: proper-lockfile keeps the directory `<path>.lock` and its heartbeat, but
 * through file operations of ours, because its own hand one lock to two holders when they clear a stale one at the
 * same time, and wait for the heartbeat to expire when a look at the process table would do. Here the directory names
 * its owner from the moment it exists; an owner that is provably dead is removed at once, one that provably lives
 * never, however long it is stopped. Only for the others (other pid namespace, other boot) the heartbeat decides.
 * Shared locks are exclusive ones.
 */
export const lockfileMethod: LockMethod = {
  tryLock(path) {
    const directory = `${path}.lock`;
    const owner = readOwner(directory);
    if (owner?.state === 'alive') return undefined;
    if (owner?.state === 'dead') dropOwnership(directory, owner.holder);

    const holder = `owner-${newToken()}`;
    let compromised = false;
    let unlock: () => void;
    try {
      unlock = loadProperLockfile().lockSync(path, {
        stale: STALE_MS,
        update: UPDATE_MS,
        realpath: false,
        lockfilePath: directory,
        fs: fileOperations(holder),
        onCompromised: () => {
          compromised = true;
        },
      });
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === 'ELOCKED') return undefined;
      if (errno === 'ENOENT' || errno === 'ENOSPC' || errno === 'EDQUOT') throw ioError('lock', path, error);
      throw engineError('LOCK_UNSUPPORTED', `neither flock nor a lock directory works for ${quote(path)}: ${errno}`, {
        details: { path, errno },
        cause: error,
      });
    }
    return hold(directory, holder, unlock, () => compromised);
  },
  holder(path) {
    try {
      return liveOwner(currentOwner(`${path}.lock`)?.content ?? '');
    } catch {
      return undefined;
    }
  },
};

function readOwner(directory: string) {
  try {
    const owner = currentOwner(directory);
    return owner && { holder: owner.holder, state: ownerState(decodeOwner(owner.content)) };
  } catch (error) {
    throw ioError('lock', directory, error);
  }
}

/** The operations of node:fs that proper-lockfile calls, on an owned directory. */
function fileOperations(holder: string) {
  return {
    mkdirSync(directory: string): void {
      const claim = { holder, content: encodeOwner(ownIdentity()) };
      if (!takeOwnership(directory, claim, { durable: false })) throw failure('EEXIST');
    },
    rmdirSync(directory: string): void {
      if (dropOwnership(directory, holder)) return;
      // Not ours: proper-lockfile thinks that the heartbeat of its owner has stopped.
      const owner = readOwner(directory);
      if (owner?.state === 'alive') throw failure('ELOCKED');
      if (owner !== undefined) dropOwnership(directory, owner.holder);
    },
    statSync: (directory: string) => statSync(directory),
    utimesSync: (directory: string, accessed: Date, modified: Date) => utimesSync(directory, accessed, modified),
    realpathSync: (path: string) => path,
  };
}

/** What proper-lockfile understands: it tells failures apart by their code. */
function failure(code: 'EEXIST' | 'ELOCKED'): Error {
  return Object.assign(new Error(code), { code });
}

function hold(directory: string, holder: string, unlock: () => void, isCompromised: () => boolean): HeldLock {
  let released = false;
  return {
    get held() {
      return !released && !isCompromised() && existsSync(join(directory, holder));
    },
    release() {
      if (released) return;
      released = true;
      try {
        unlock();
      } catch {
        // It rejects a lock that it holds for compromised; ours is dropped below all the same.
      }
      try {
        dropOwnership(directory, holder);
      } catch {
        // The owner record stays and is removed by the next taker after this process ended.
      }
    },
  };
}
