export { dupAbove, flock, growPipe, pipe2, setCloseOnExec } from './descriptors.js';
export {
  clearImmutable,
  majorOf,
  makeDev,
  minorOf,
  mkfifo,
  mknod,
  openat2InRoot,
  syncfs,
  syncfsAsync,
  utimensat,
} from './files.js';
export { errnoOf, type PathBytes } from './lib.js';
export { sealedMemfd } from './memfd.js';
export { MNT_DETACH, MS, mount, UMOUNT_NOFOLLOW, umount } from './mount.js';
export { type PosixSpawnRequest, posixSpawn, waitpidNow } from './posix-spawn.js';
export { openPty, setTerminalSize } from './pty.js';
export { connectSeqpacket, shutdownSocket } from './seqpacket.js';
export { lgetxattr, llistxattr, lremovexattr, lsetxattr } from './xattr.js';
