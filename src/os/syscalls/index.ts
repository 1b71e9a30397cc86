export { dupAbove, flock, pipe2, setCloseOnExec } from './descriptors.js';
export {
  clearImmutable,
  majorOf,
  makeDev,
  minorOf,
  mkfifo,
  mknod,
  renameNoReplace,
  syncfs,
  syncfsAsync,
  utimensat,
} from './files.js';
export { errnoNameOf, errnoOf, type PathBytes, pathText, syscallError } from './lib.js';
export { sealedMemfd } from './memfd.js';
export { MNT_DETACH, MS, mount, UMOUNT_NOFOLLOW, umount } from './mount.js';
export { type MountAnswer, type MountCall, mountProgram } from './mount-program.js';
export { openat2Directory, openat2InRoot } from './openat2.js';
export { type PosixSpawnRequest, posixSpawn, waitpidNow } from './posix-spawn.js';
export { openPty, setTerminalSize } from './pty.js';
export {
  enforcesProjectQuota,
  limitProject,
  type ProjectSpace,
  projectOf,
  projectSpace,
  type QuotaTarget,
  setProject,
} from './quota.js';
export { connectSeqpacket, shutdownSocket } from './seqpacket.js';
export { type FileStatus, statx } from './statx.js';
export { lgetxattr, llistxattr, lremovexattr, lsetxattr } from './xattr.js';
