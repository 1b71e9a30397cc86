import { Socket } from 'node:net';
import type { ChildExit } from './child.js';
import { errnoOf, waitpidNow } from './syscalls/index.js';

export interface ExitWatch {
  readonly exit: Promise<ChildExit>;
  kill(signal?: NodeJS.Signals | number): boolean;
  unref(): void;
}

/**
 * Notices the end of a child that Node does not know of. With `pipeFd` it is event-driven: only the child holds the
 * other end, so end-of-file means that it has exited (or closed it; then, as without a pipe, the child is polled).
 */
export function watchExit(pid: number, pipeFd: number | undefined): ExitWatch {
  let settled = false;
  let refed = true;
  let timer: NodeJS.Timeout | undefined;
  let pipe: Socket | undefined;
  let resolve!: (exit: ChildExit) => void;
  const exit = new Promise<ChildExit>((r) => {
    resolve = r;
  });

  const reap = (): boolean => {
    let status: number | undefined;
    try {
      status = waitpidNow(pid);
    } catch (error) {
      // Somebody else in the process waited for all children: the end is known, the code is lost.
      if (errnoOf(error) !== 'ECHILD') throw error;
      status = 255 << 8;
    }
    if (status === undefined) return false;
    settled = true;
    const signal = status & 0x7f;
    resolve(signal === 0 ? { code: (status >> 8) & 0xff, signal: null } : { code: null, signal });
    return true;
  };

  const poll = (delayMs: number): void => {
    if (reap()) return;
    // Ref'd by intention while the caller waits for the child, as a Node child process is.
    timer = setTimeout(poll, delayMs, Math.min(delayMs * 2, 50));
    if (!refed) timer.unref();
  };

  if (pipeFd === undefined) {
    poll(1);
  } else {
    pipe = new Socket({ fd: pipeFd, readable: true, writable: false });
    pipe.on('error', () => {});
    pipe.on('close', () => {
      // The kernel closes descriptors a few microseconds before it announces the exit.
      for (let tries = 0; tries < 20; tries++) if (reap()) return;
      setImmediate(poll, 1);
    });
    pipe.resume();
  }

  return {
    exit,
    kill(signal = 'SIGTERM') {
      if (settled) return false;
      try {
        process.kill(pid, signal);
        return true;
      } catch {
        return false;
      }
    },
    unref() {
      refed = false;
      pipe?.unref();
      timer?.unref();
    },
  };
}
