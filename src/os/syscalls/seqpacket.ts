import { closeSync, openSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { errnoName, libc, syscallError } from './lib.js';

const cSocket = libc<(domain: number, type: number, protocol: number) => number>(
  'int socket(int domain, int type, int protocol)',
);
const cConnect = libc<(fd: number, address: Uint8Array, length: number) => number>(
  'int connect(int fd, const uint8_t *address, uint32_t length)',
);
const cShutdown = libc<(fd: number, how: number) => number>('int shutdown(int fd, int how)');

const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;
const HOW = { read: 0, write: 1, both: 2 } as const;

/**
 * Connects to a SOCK_SEQPACKET socket, which Node can't. The path may be longer than a socket address takes.
 * The descriptor is non-blocking and closed on exec; with a full backlog the call fails with EAGAIN instead of waiting.
 */
export function connectSeqpacket(path: string): number {
  const dirFd = openSync(dirname(path), 'r');
  try {
    const name = Buffer.from(`/proc/self/fd/${dirFd}/${basename(path)}\0`);
    const address = Buffer.alloc(2 + name.length);
    address.writeUInt16LE(AF_UNIX, 0);
    name.copy(address, 2);
    const fd = cSocket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) throw syscallError('socket', errnoName());
    if (cConnect(fd, address, address.length) !== 0) {
      const errno = errnoName();
      closeSync(fd);
      throw syscallError('connect', errno, { path });
    }
    return fd;
  } finally {
    closeSync(dirFd);
  }
}

/** shutdown(2): ends one or both directions of a connected socket. */
export function shutdownSocket(fd: number, how: keyof typeof HOW): void {
  if (cShutdown(fd, HOW[how]) !== 0) throw syscallError('shutdown', errnoName(), { fd });
}
