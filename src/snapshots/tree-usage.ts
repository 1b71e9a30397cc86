import { type Dirent, lstatSync } from 'node:fs';
import { errnoOf } from '../os/syscalls/index.js';
import { joinBytes, readEntries } from '../os/trees/byte-paths.js';
import { TimeSlices } from '../os/trees/time-slices.js';
import type { CallOptions } from '../util/signals.js';
import type { SnapshotUsage } from './snapshotter.js';

const BLOCK_BYTES = 512;

/** Blocks on disk and inodes of a tree, its root included, hard links once. What goes away meanwhile is not counted. */
export async function treeUsage(root: string, call: CallOptions = {}): Promise<SnapshotUsage> {
  const slices = new TimeSlices(call);
  const linked = new Set<string>();
  const pending: Buffer[] = [Buffer.from(root)];
  let bytes = 0;
  let inodes = 0;
  const count = (path: Buffer): void => {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return;
    if (stat.nlink > 1 && !stat.isDirectory()) {
      // Inode numbers beyond 2^53 exist, and two of them must not look like one.
      const exact = lstatSync(path, { throwIfNoEntry: false, bigint: true });
      const inode = `${exact?.dev}:${exact?.ino}`;
      if (linked.has(inode)) return;
      linked.add(inode);
    }
    inodes++;
    bytes += stat.blocks * BLOCK_BYTES;
  };
  count(pending[0] as Buffer);
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    for (const entry of listReachable(directory)) {
      if (slices.due) await slices.pause();
      const path = joinBytes(directory, entry.name);
      if (entry.isDirectory()) pending.push(path);
      try {
        count(path);
      } catch (error) {
        if (errnoOf(error) !== 'ENAMETOOLONG') throw error;
      }
    }
  }
  return { bytes, inodes };
}

function listReachable(directory: Buffer): Dirent<Buffer>[] {
  try {
    return readEntries(directory);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENAMETOOLONG') return [];
    throw error;
  }
}
