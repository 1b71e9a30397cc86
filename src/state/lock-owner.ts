import { readlinkSync } from 'node:fs';
import { bootId, identifyProcess, isAlive, type ProcessIdentity } from '../os/process-identity.js';

const RECORD_BYTES = 200;

/** Who holds a lock, and in which pid namespace that pid means something. */
export interface LockOwner extends ProcessIdentity {
  readonly pidNamespace: string;
}

// Who this process is can't change while it runs.
let self: LockOwner | undefined;

/** This process as an owner. */
export function ownIdentity(): LockOwner {
  self ??= {
    ...(identifyProcess(process.pid) ?? { pid: process.pid, startTime: '0', bootId: bootId() }),
    pidNamespace: readlinkSync('/proc/self/ns/pid'),
  };
  return self;
}

/** The text that says who holds a lock; of fixed length, so that one write replaces it whole. */
export function encodeOwner(owner: LockOwner): string {
  const { pid, startTime, bootId, pidNamespace } = owner;
  return `${JSON.stringify({ pid, startTime, bootId, pidNamespace }).padEnd(RECORD_BYTES - 1)}\n`;
}

/** The owner that a text names; `undefined` when it names none. */
export function decodeOwner(text: string): LockOwner | undefined {
  try {
    const { pid, startTime, bootId, pidNamespace } = (JSON.parse(text) ?? {}) as Partial<LockOwner>;
    if (!Number.isSafeInteger(pid) || typeof startTime !== 'string') return undefined;
    if (typeof bootId !== 'string' || typeof pidNamespace !== 'string') return undefined;
    return { pid: pid as number, startTime, bootId, pidNamespace };
  } catch {
    return undefined;
  }
}

/** `unknown` where this process can't tell: another pid namespace, another boot (or machine), an unreadable text. */
export function ownerState(owner: LockOwner | undefined): 'alive' | 'dead' | 'unknown' {
  const me = ownIdentity();
  if (owner === undefined || owner.bootId !== me.bootId || owner.pidNamespace !== me.pidNamespace) return 'unknown';
  return isAlive(owner) ? 'alive' : 'dead';
}

/** The plain identity of the owner while it lives, for error details. */
export function liveOwner(text: string): ProcessIdentity | undefined {
  const owner = decodeOwner(text);
  if (owner === undefined || ownerState(owner) !== 'alive') return undefined;
  return { pid: owner.pid, startTime: owner.startTime, bootId: owner.bootId };
}
