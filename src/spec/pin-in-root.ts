import { closeSync, constants, openSync } from 'node:fs';
import { engineError, quote } from '../errors/index.js';
import { O_PATH } from '../os/index.js';
import { errnoOf, openat2InRoot } from '../os/syscalls/index.js';
import { locateInRoot } from './locate-in-root.js';

const TRIES = 10;

/**
 * A descriptor (O_PATH) of what a path of the container leads to inside its root, not opened; `undefined` where there is
 * nothing. Links are followed as the container would. Throws HOSTILE_ROOTFS.
 */
export function pinInRoot(root: string, path: string): number | undefined {
  const rootFd = openSync(root, constants.O_DIRECTORY | O_PATH);
  try {
    for (let tries = 1; ; tries++) {
      try {
        return openat2InRoot(rootFd, path, O_PATH);
      } catch (error) {
        const errno = errnoOf(error);
        if (errno === 'ENOENT') return undefined;
        // A kernel before 5.6, or a filter around us that does not know the call.
        if (errno === 'ENOSYS' || errno === 'EPERM') return pinByName(root, path);
        // EAGAIN: something was renamed on the way.
        if (errno !== 'EAGAIN' || tries === TRIES) throw hostile(path, 'cannot be opened', error);
      }
    }
  } finally {
    closeSync(rootFd);
  }
}

function pinByName(root: string, path: string): number | undefined {
  const located = locateInRoot(root, path);
  if (located.kind === 'missing') return undefined;
  try {
    return openSync(located.path, O_PATH | constants.O_NOFOLLOW);
  } catch (cause) {
    throw hostile(path, 'cannot be opened', cause);
  }
}

/** The error for a path of an image that is not what it should be. */
export function hostile(path: string, why: string, cause?: unknown) {
  return engineError('HOSTILE_ROOTFS', `path ${quote(path)} of the image ${why}`, {
    details: { path },
    ...(cause === undefined ? {} : { cause }),
  });
}
