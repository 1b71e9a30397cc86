import { errnoName, libc, syscallError } from './lib.js';

const cMount = libc<
  (source: string, target: string, fstype: string | null, flags: number, data: string | null) => number
>('int mount(const char *source, const char *target, const char *fstype, unsigned long flags, const char *data)');
const cUmount2 = libc<(target: string, flags: number) => number>('int umount2(const char *target, int flags)');

/** mount(2) flags. */
export const MS = {
  RDONLY: 1,
  NOSUID: 2,
  NODEV: 4,
  NOEXEC: 8,
  SYNCHRONOUS: 16,
  REMOUNT: 32,
  NOSYMFOLLOW: 256,
  NOATIME: 1024,
  NODIRATIME: 2048,
  BIND: 4096,
  MOVE: 8192,
  REC: 16384,
  UNBINDABLE: 1 << 17,
  PRIVATE: 1 << 18,
  SLAVE: 1 << 19,
  SHARED: 1 << 20,
  RELATIME: 1 << 21,
  STRICTATIME: 1 << 24,
  LAZYTIME: 1 << 25,
} as const;

export const MNT_DETACH = 2;
export const UMOUNT_NOFOLLOW = 8;

/** mount(2). Throws SYSCALL_FAILED or NOT_PERMITTED with details.errno. */
export function mount(source: string, target: string, fstype: string | null, flags: number, data: string | null): void {
  if (cMount(source, target, fstype, flags, data) !== 0) {
    throw syscallError('mount', errnoName(), { target, fstype, source });
  }
}

/** umount2(2). Throws SYSCALL_FAILED with details.errno. */
export function umount(target: string, flags = 0): void {
  if (cUmount2(target, flags) !== 0) throw syscallError('umount2', errnoName(), { target });
}
