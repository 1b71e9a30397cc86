import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { engineError, quote } from '../errors/index.js';
import { locateInRoot } from './locate-in-root.js';

/** Reads small files of a container's root file system. */
export interface RootfsReader {
  /** The file's bytes; `undefined` when there is none. Throws HOSTILE_ROOTFS for what is no regular file or too large. */
  readFile(path: string, maxBytes: number): Buffer | undefined;
}

/**
 * A reader for a mounted (or plain) root directory. Links are followed inside the root only; FIFOs and devices are never
 * opened for reading, so that no image can block or flood the engine (CVE-2026-47262, CVE-2024-9676).
 */
export function openRootfsReader(rootfsPath: string): RootfsReader {
  return { readFile: (path, maxBytes) => readInRoot(rootfsPath, path, maxBytes) };
}

function readInRoot(root: string, path: string, maxBytes: number): Buffer | undefined {
  const located = locateInRoot(root, path);
  if (located.kind === 'missing') return undefined;
  if (located.kind !== 'file') throw hostile(path, 'is no regular file');
  let fd: number;
  try {
    fd = openSync(located.path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (cause) {
    throw hostile(path, 'cannot be opened', cause);
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw hostile(path, 'is no regular file');
    if (stat.size > maxBytes) throw hostile(path, `is larger than ${maxBytes} bytes`);
    return readUpTo(fd, stat.size);
  } finally {
    closeSync(fd);
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
