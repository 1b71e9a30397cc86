import { closeSync } from 'node:fs';
import { errnoName, libc, syscallError } from './lib.js';

const cOpenpt = libc<(flags: number) => number>('int posix_openpt(int flags)');
const cGrantpt = libc<(fd: number) => number>('int grantpt(int fd)');
const cUnlockpt = libc<(fd: number) => number>('int unlockpt(int fd)');
const cPtsname = libc<(fd: number, buffer: Uint8Array, size: number) => number>(
  'int ptsname_r(int fd, void *buffer, size_t size)',
);
const cIoctl = libc<(fd: number, request: number, argument: Uint16Array) => number>(
  'int ioctl(int fd, unsigned long request, void *argument)',
);

const O_RDWR = 2;
const O_NOCTTY = 0o400;
const O_CLOEXEC = 0o2000000;
const TIOCSWINSZ = 0x5414;

/** A new pseudo terminal: our end, and the path of the other one. */
export function openPty(): { masterFd: number; slavePath: string } {
  const masterFd = cOpenpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (masterFd < 0) throw syscallError('posix_openpt', errnoName());
  const name = new Uint8Array(128);
  if (cGrantpt(masterFd) !== 0 || cUnlockpt(masterFd) !== 0 || cPtsname(masterFd, name, name.length) !== 0) {
    const errno = errnoName();
    closeSync(masterFd);
    throw syscallError('ptsname', errno);
  }
  return { masterFd, slavePath: Buffer.from(name).toString('latin1', 0, name.indexOf(0)) };
}

/** Sets the size of a terminal; its foreground processes get SIGWINCH. */
export function setTerminalSize(fd: number, rows: number, columns: number): void {
  if (cIoctl(fd, TIOCSWINSZ, new Uint16Array([rows, columns, 0, 0])) !== 0)
    throw syscallError('ioctl', errnoName(), { fd });
}
