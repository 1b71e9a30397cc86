import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { engineError, quote } from '../errors/index.js';
import { errnoOf, openat2InRoot } from '../os/syscalls/index.js';
import { locateInRoot } from './locate-in-root.js';

/** Node does not name it: a descriptor that only points at a file. */
const O_PATH = 0o10000000;
const TRIES = 10;

/** Reads small files of a container's root file system. */
export interface RootfsReader {
  /** The file's bytes; `undefined` when there is none. Throws HOSTILE_ROOTFS for what is no regular file or too large. */
  readFile(path: string, maxBytes: number): Buffer | undefined;
}

/**
 * A reader for a mounted (or plain) root directory. Links are followed inside the root only; FIFOs and devices are never
 * opened, so that no image can block or flood the engine (CVE-2026-47262, CVE-2024-9676). The container may run and
 * exchange files meanwhile: what was looked at is what is read.
 */
export function openRootfsReader(rootfsPath: string): RootfsReader {
  return { readFile: (path, maxBytes) => readInRoot(rootfsPath, path, maxBytes) };
}

function readInRoot(root: string, path: string, maxBytes: number): Buffer | undefined {
  const pinned = pinInRoot(root, path);
  if (pinned === undefined) return undefined;
  try {
    const stat = fstatSync(pinned);
    if (!stat.isFile()) throw hostile(path, 'is no regular file');
    if (stat.size > maxBytes) throw hostile(path, `is larger than ${maxBytes} bytes`);
    const fd = openSync(`/proc/self/fd/${pinned}`, constants.O_RDONLY);
    try {
      return readUpTo(fd, stat.size);
    } finally {
      closeSync(fd);
    }
  } finally {
    closeSync(pinned);
  }
}

/** A descriptor of what the path leads to inside the root, not opened; `undefined` where there is nothing. */
function pinInRoot(root: string, path: string): number | undefined {
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

function readUpTo(fd: number, size: number): Buffer {
  const buffer = Buffer.alloc(size);
  let length = 0;
  while (length < size) {
    const read = readSync(fd, buffer, length, size - length, null);
    if (read === 0) break;
    length += read;
  }
  return buffer.subarray(0, length);
}

function hostile(path: string, why: string, cause?: unknown) {
  return engineError('HOSTILE_ROOTFS', `path ${quote(path)} of the image ${why}`, {
    details: { path },
    ...(cause === undefined ? {} : { cause }),
  });
}
