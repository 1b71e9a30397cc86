import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { hostile, pinInRoot } from './pin-in-root.js';

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
