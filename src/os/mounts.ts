import { engineError } from '../errors/index.js';
import type { Mount } from './mount.js';
import { MOUNT_DATA_MAX, shortenOverlayOptions } from './overlay-data.js';
import { errnoOf, MNT_DETACH, MS, mount, UMOUNT_NOFOLLOW, umount } from './syscalls/index.js';

const FLAG_WORDS: Readonly<Record<string, number>> = {
  ro: MS.RDONLY,
  nosuid: MS.NOSUID,
  nodev: MS.NODEV,
  noexec: MS.NOEXEC,
  sync: MS.SYNCHRONOUS,
  noatime: MS.NOATIME,
  nodiratime: MS.NODIRATIME,
  relatime: MS.RELATIME,
  strictatime: MS.STRICTATIME,
  bind: MS.BIND,
  rbind: MS.BIND | MS.REC,
};
const PROPAGATION_WORDS: Readonly<Record<string, number>> = {
  private: MS.PRIVATE,
  rprivate: MS.PRIVATE | MS.REC,
  shared: MS.SHARED,
  rshared: MS.SHARED | MS.REC,
  slave: MS.SLAVE,
  rslave: MS.SLAVE | MS.REC,
};

/** Mounts in order onto `target`; when one fails, those before it are unmounted again. */
export function mountAll(mounts: readonly Mount[], target: string): void {
  let done = 0;
  try {
    for (const one of mounts) {
      mountOne(one, target);
      done++;
    }
  } catch (error) {
    for (; done > 0; done--) detachTop(target);
    throw error;
  }
}

/** Takes away the topmost mount only: what was mounted there before is not ours. */
function detachTop(target: string): void {
  umount(target, UMOUNT_NOFOLLOW | MNT_DETACH);
}

function mountOne(one: Mount, target: string): void {
  let flags = 0;
  let propagation = 0;
  const data: string[] = [];
  for (const word of one.options) {
    if (word === 'rw' || word === 'defaults') continue;
    if (Object.hasOwn(FLAG_WORDS, word)) flags |= FLAG_WORDS[word] as number;
    else if (Object.hasOwn(PROPAGATION_WORDS, word)) propagation |= PROPAGATION_WORDS[word] as number;
    else data.push(word);
  }
  if (one.type === 'overlay') mountOverlay(one.source, target, flags, data);
  else mount(one.source, target, one.type === 'bind' ? null : one.type, flags, data.length > 0 ? data.join(',') : null);
  // The kernel ignores all other flags of a bind mount's first call: they need a remount.
  const more = flags & ~(MS.BIND | MS.REC);
  try {
    if (flags & MS.BIND && more !== 0) mount('none', target, null, MS.REMOUNT | MS.BIND | more, null);
    if (propagation !== 0) mount('none', target, null, propagation, null);
  } catch (error) {
    detachTop(target);
    throw error;
  }
}

function mountOverlay(source: string, target: string, flags: number, options: readonly string[]): void {
  const data = options.join(',');
  if (Buffer.byteLength(data) <= MOUNT_DATA_MAX) {
    mount(source, target, 'overlay', flags, data);
    return;
  }
  const short = shortenOverlayOptions(options);
  try {
    const bytes = Buffer.byteLength(short.options.join(','));
    if (bytes > MOUNT_DATA_MAX) {
      throw engineError('MOUNT_FAILED', `an overlay mount with ${bytes} bytes of options is too large`, {
        details: { target, bytes, limit: MOUNT_DATA_MAX, errno: 'E2BIG' },
      });
    }
    mount(source, target, 'overlay', flags, short.options.join(','));
  } finally {
    short.close();
  }
}

/**
 * Unmounts everything that is mounted at `target`. Idempotent: nothing mounted and nothing there are fine.
 * A busy mount is detached when `lazy` (the kernel frees it at its last use), else it throws with errno EBUSY.
 */
export function unmount(target: string, options: { lazy?: boolean } = {}): void {
  for (;;) {
    try {
      umount(target, UMOUNT_NOFOLLOW);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === 'EINVAL' || errno === 'ENOENT') return;
      if (errno !== 'EBUSY' || !options.lazy) throw error;
      umount(target, UMOUNT_NOFOLLOW | MNT_DETACH);
    }
  }
}
