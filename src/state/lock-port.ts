import type { ProcessIdentity } from '../os/process-identity.js';

/** A lock that is held. */
export interface HeldLock {
  /** False when something took the lock away: whatever is not yet committed must not be. */
  readonly held: boolean;
  /** Idempotent, never throws. */
  release(): void;
}

/** One try of one kind of lock; never waits. */
export interface LockMethod {
  /** `undefined` while another process holds it. Throws `UnsupportedLock` where the file system lacks this kind. */
  tryLock(path: string, shared: boolean): HeldLock | undefined;
  /** The live process that holds it, as far as it can be told. */
  holder(path: string): ProcessIdentity | undefined;
}

/** This file system has no such locks; another method may work. Never leaves this folder. */
export class UnsupportedLock extends Error {}
