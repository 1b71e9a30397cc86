import { closeSync, constants, openSync } from 'node:fs';
import { engineError, quote } from '../../errors/index.js';
import { startMountProcess } from '../../os/index.js';
import { flock, type MountCall, mount, umount } from '../../os/syscalls/index.js';
import { type CallOptions, sleep } from '../../util/signals.js';
import type { LocalVolumeOptions } from './options.js';

/** The first descriptor that a process gets beside its input, output and errors. */
const CHILD_FD = 3;
/** A killed process that waits for nothing uninterruptible is gone long before. */
const GRACE_MS = 2_000;
const POLL_MS = 10;

const IN_MEMORY = /^(tmpfs|overlay|none|bind)$/;

/** How mount calls of a volume are done. */
export interface MountWork extends CallOptions {
  /** Of the volume. */
  readonly name: string;
  /** They may wait for a server or disk: done by a process that `signal` and `timeoutMs` kill. */
  readonly blocking: boolean;
  /** File whose lock that process has for as long as it exists, so that none does the same beside it. */
  readonly attemptPath: string;
  readonly timeoutMs: number;
  /** Called when a killed process is gone after all, long after the call has thrown. */
  readonly onLate: () => void;
}

/** True when mounting or unmounting such a volume may wait for something outside of this machine's memory. */
export function mayBlock(options: LocalVolumeOptions): boolean {
  return !IN_MEMORY.test(options.type) && !/(^|,)r?bind(,|$)/.test(options.o);
}

/**
 * Does mount calls, one after the other until one fails. `fd` is a descriptor that they name: they are made for the
 * number that it has where they are done. Throws the error of the call that failed, CANCELED, TIMED_OUT, and
 * LOCAL_VOLUME_MOUNT_PENDING.
 */
export async function performCalls(work: MountWork, calls: (fd: number) => MountCall[], fd?: number): Promise<void> {
  if (work.blocking) return await performInProcess(work, calls(CHILD_FD), fd === undefined ? [] : [fd]);
  for (const call of calls(fd ?? -1)) {
    if (call[0] === 'mount') mount(call[1], call[2], call[3], call[4], call[5]);
    else umount(call[1], call[2]);
  }
}

async function performInProcess(work: MountWork, calls: MountCall[], fds: readonly number[]): Promise<void> {
  const limit = AbortSignal.timeout(work.timeoutMs);
  const signal = work.signal === undefined ? limit : AbortSignal.any([limit, work.signal]);
  const attempt = await lockAttempt(work);
  let started: Awaited<ReturnType<typeof startMountProcess>>;
  try {
    started = await startMountProcess(calls, { signal, fds: [...fds, attempt] });
  } finally {
    // The process has a copy, and with it the lock.
    closeSync(attempt);
  }
  try {
    await started.done;
  } catch (error) {
    const late = await Promise.race([
      started.gone.then(() => false),
      sleep(GRACE_MS, { keepAlive: true }).then(() => true),
    ]);
    if (late) void started.gone.then(work.onLate);
    throw error;
  }
}

/** Throws LOCAL_VOLUME_MOUNT_PENDING while a process of an earlier attempt exists: what it does is not known yet. */
export async function assertNoAttempt(work: MountWork): Promise<void> {
  if (work.blocking) closeSync(await lockAttempt(work));
}

async function lockAttempt({ name, attemptPath, signal }: MountWork): Promise<number> {
  const fd = openSync(attemptPath, constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    // That of a host that was killed is gone at once, but not in the same moment.
    for (let waited = 0; !flock(fd, 'exclusive', { nonBlocking: true }); waited += POLL_MS) {
      if (waited >= GRACE_MS) throw pending(name);
      await sleep(POLL_MS, { keepAlive: true, ...(signal === undefined ? {} : { signal }) });
    }
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function pending(name: string): Error {
  return engineError(
    'LOCAL_VOLUME_MOUNT_PENDING',
    `an earlier mount or unmount of volume ${quote(name)} was given up but still waits in the kernel`,
    { details: { name, retryable: true } },
  );
}
