import {
  type BigIntStats,
  closeSync,
  constants,
  copyFileSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  promises,
  readlinkSync,
  readSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { joinBytes, readEntries } from '../os/byte-paths.js';
import { errnoOf, majorOf, minorOf, mknod } from '../os/syscalls/index.js';
import { type CallOptions, throwIfAborted } from '../util/signals.js';
import { TimeSlices } from '../util/time-slices.js';
import { readAttributes, writeAttributes } from './inode-attributes.js';

const ASYNC_BYTES = 256n * 1024n;
const HOLE_BYTES = 4096;
const CHUNK_BYTES = 2 ** 20;
const BLOCK_BYTES = 512n;

interface DirectoryStep {
  readonly from: Buffer;
  readonly to: Buffer;
  /** Set when its entries are copied: only its attributes are left to write. */
  readonly filled: boolean;
}

/** Copies a tree into the existing directory `to`, exact to the nanosecond, hard links within the tree kept. */
export async function copyTree(from: string, to: string, call: CallOptions = {}): Promise<void> {
  const slices = new TimeSlices(call);
  const linked = new Map<string, Buffer>();
  const steps: DirectoryStep[] = [{ from: Buffer.from(from), to: Buffer.from(to), filled: false }];
  for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
    if (step.filled) {
      writeAttributes(step.to, readAttributes(step.from));
      continue;
    }
    // Children change the directory's times, so its attributes come last.
    steps.push({ ...step, filled: true });
    for (const entry of readEntries(step.from)) {
      if (slices.due) await slices.pause();
      const source = joinBytes(step.from, entry.name);
      const target = joinBytes(step.to, entry.name);
      const stat = lstatSync(source, { bigint: true });
      if (stat.isDirectory()) {
        mkdirSync(target, 0o700);
        steps.push({ from: source, to: target, filled: false });
      } else if (!linkAgain(linked, stat, target)) {
        const copied = copyNode(source, target, stat, call);
        if (copied !== undefined) await copied;
        writeAttributes(target, readAttributes(source, stat));
      }
    }
  }
}

function linkAgain(linked: Map<string, Buffer>, stat: BigIntStats, target: Buffer): boolean {
  if (stat.nlink < 2n) return false;
  const inode = `${stat.dev}:${stat.ino}`;
  const first = linked.get(inode);
  if (first === undefined) linked.set(inode, target);
  else linkSync(first, target);
  return first !== undefined;
}

function copyNode(source: Buffer, target: Buffer, stat: BigIntStats, call: CallOptions): Promise<void> | undefined {
  if (stat.isSymbolicLink()) {
    symlinkSync(readlinkSync(source, { encoding: 'buffer' }), target);
    return undefined;
  }
  if (!stat.isFile()) {
    mknod(target, Number(stat.mode), majorOf(stat.rdev), minorOf(stat.rdev));
    return undefined;
  }
  if (stat.blocks * BLOCK_BYTES < stat.size) return copySparse(source, target, stat.size, call);
  if (stat.size > ASYNC_BYTES) return promises.copyFile(source, target, constants.COPYFILE_FICLONE);
  copyFileSync(source, target, constants.COPYFILE_FICLONE);
  return undefined;
}

// Copying byte ranges fills holes, so without shared extents the zeros are left out by hand.
async function copySparse(source: Buffer, target: Buffer, size: bigint, call: CallOptions): Promise<void> {
  try {
    await promises.copyFile(source, target, constants.COPYFILE_FICLONE_FORCE);
    return;
  } catch (error) {
    if (!['ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL', 'ENOTTY', 'EXDEV'].includes(errnoOf(error) ?? '')) throw error;
  }
  const slices = new TimeSlices(call);
  const input = openSync(source, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const output = openSync(target, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC, 0o600);
    try {
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      for (let at = 0; at < Number(size); ) {
        const length = readSync(input, chunk, 0, CHUNK_BYTES, at);
        if (length === 0) break;
        writeData(output, chunk.subarray(0, length), at);
        at += length;
        if (slices.due) await slices.pause();
      }
      ftruncateSync(output, Number(size));
    } finally {
      closeSync(output);
    }
  } finally {
    closeSync(input);
  }
  throwIfAborted(call.signal);
}

function writeData(output: number, chunk: Buffer, at: number): void {
  for (let offset = 0; offset < chunk.length; offset += HOLE_BYTES) {
    const piece = chunk.subarray(offset, offset + HOLE_BYTES);
    if (!isZero(piece)) writeWhole(output, piece, at + offset);
  }
}

function writeWhole(output: number, piece: Buffer, at: number): void {
  for (let done = 0; done < piece.length; ) done += writeSync(output, piece, done, piece.length - done, at + done);
}

const ZEROS = Buffer.alloc(HOLE_BYTES);

function isZero(piece: Buffer): boolean {
  return piece.equals(piece.length === HOLE_BYTES ? ZEROS : ZEROS.subarray(0, piece.length));
}
