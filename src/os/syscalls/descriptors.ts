import { errnoName, libc, syscallError } from './lib.js';

const cPipe2 = libc<(fds: [number, number], flags: number) => number>('int pipe2(_Out_ int *fds, int flags)');
const cFlock = libc<(fd: number, operation: number) => number>('int flock(int fd, int operation)');
const cFcntl = libc<(fd: number, command: number, argument: number) => number>('int fcntl(int fd, int cmd, int arg)');

const O_CLOEXEC = 0o2000000;
const F_DUPFD_CLOEXEC = 1030;
const F_SETFD = 2;
const F_SETPIPE_SZ = 1031;
const LOCK = { shared: 1, exclusive: 2, unlock: 8 } as const;
const LOCK_NB = 4;

/** A pipe whose ends no child inherits by accident. */
export function pipe2(): { readFd: number; writeFd: number } {
  const fds: [number, number] = [0, 0];
  if (cPipe2(fds, O_CLOEXEC) !== 0) throw syscallError('pipe2', errnoName());
  return { readFd: fds[0], writeFd: fds[1] };
}

/** Lets a pipe hold more; where the system's limit forbids it, it stays as it is. */
export function growPipe(fd: number, bytes: number): void {
  cFcntl(fd, F_SETPIPE_SZ, bytes);
}

/** flock(2): kernel-owned, gone when the last copy of the descriptor closes. False when `nonBlocking` and another holds it. */
export function flock(fd: number, operation: keyof typeof LOCK, options: { nonBlocking?: boolean } = {}): boolean {
  for (;;) {
    if (cFlock(fd, LOCK[operation] | (options.nonBlocking ? LOCK_NB : 0)) === 0) return true;
    const errno = errnoName();
    if (errno === 'EAGAIN' || errno === 'EWOULDBLOCK') return false;
    if (errno !== 'EINTR') throw syscallError('flock', errno, { fd });
  }
}

/** A copy of the descriptor with a number of at least `minimum`, closed on exec. */
export function dupAbove(fd: number, minimum: number): number {
  const copy = cFcntl(fd, F_DUPFD_CLOEXEC, minimum);
  if (copy < 0) throw syscallError('fcntl', errnoName(), { fd });
  return copy;
}

/** Marks a descriptor closed on exec: the Node API does it by itself, foreign code may not. */
export function setCloseOnExec(fd: number, on: boolean): void {
  if (cFcntl(fd, F_SETFD, on ? 1 : 0) < 0) throw syscallError('fcntl', errnoName(), { fd });
}
