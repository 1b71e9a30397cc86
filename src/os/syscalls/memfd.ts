import { closeSync, writeSync } from 'node:fs';
import { errnoName, libc, syscallError } from './lib.js';

const cMemfdCreate = libc<(name: string, flags: number) => number>(
  'int memfd_create(const char *name, unsigned int flags)',
);
const cFcntl = libc<(fd: number, command: number, argument: number) => number>('int fcntl(int fd, int cmd, int arg)');

const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const MFD_EXEC = 0x10;
const F_ADD_SEALS = 1033;
/** No further seal, no shrinking, no growing, no writing. */
const ALL_SEALS = 1 | 2 | 4 | 8;

/** An anonymous executable file with this content that nobody can ever change; gone with its last descriptor. */
export function sealedMemfd(name: string, content: Uint8Array): number {
  const flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  let fd = cMemfdCreate(name, flags | MFD_EXEC);
  // Before Linux 6.3 the flag is unknown and every memfd executable.
  if (fd < 0 && errnoName() === 'EINVAL') fd = cMemfdCreate(name, flags);
  if (fd < 0) throw syscallError('memfd_create', errnoName(), { name });
  try {
    for (let at = 0; at < content.length; ) at += writeSync(fd, content, at);
    if (cFcntl(fd, F_ADD_SEALS, ALL_SEALS) < 0) throw syscallError('fcntl', errnoName(), { name });
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}
