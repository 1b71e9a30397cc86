import {
  type BigIntStats,
  closeSync,
  constants,
  copyFileSync,
  type Dirent,
  fstatSync,
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
import { engineError, quote } from '../../errors/index.js';
import { type CallOptions, throwIfAborted } from '../../util/signals.js';
import { errnoOf, majorOf, minorOf, mknod } from '../syscalls/index.js';
import { inDirectory, readEntries } from './byte-paths.js';
import { readAttributes, type WriteAttributesOptions, writeAttributes } from './inode-attributes.js';
import { openBeneath } from './open-beneath.js';
import { TimeSlices } from './time-slices.js';

const ASYNC_BYTES = 256n * 1024n;
const HOLE_BYTES = 4096;
const CHUNK_BYTES = 2 ** 20;
const BLOCK_BYTES = 512n;
const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY;

/** How a tree is copied. */
export interface CopyTreeOptions extends CallOptions, WriteAttributesOptions {}

/** Two directories that are being walked, held open: what others rename or exchange above them changes nothing. */
interface Frame {
  readonly from: number;
  readonly to: number;
  readonly entries: Dirent<Buffer>[];
  /** The names that lead to `to` from the top. */
  readonly names: readonly Buffer[];
}

/**
 * Copies a tree into the existing directory `to`, exact to the nanosecond, hard links within the tree kept.
 *
 * Somebody hostile may change both trees meanwhile: each directory is opened once, without following links, and all in
 * it is named relative to that descriptor, so nothing outside the two trees is read or written. What does not stay what
 * it was when it was looked at fails the copy. Each level of depth takes two descriptors.
 */
export async function copyTree(from: string, to: string, options: CopyTreeOptions = {}): Promise<void> {
  const slices = new TimeSlices(options);
  const links = new Map<string, readonly Buffer[]>();
  const top = openFrame(from, to, DIRECTORY, []);
  const frames: Frame[] = [top];
  try {
    for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
      if (slices.due) await slices.pause();
      const entry = frame.entries.pop();
      if (entry === undefined) {
        // Children change the directory's times, so its attributes come last.
        writeAttributes(inDirectory(frame.to, '.'), readAttributes(inDirectory(frame.from, '.')), options);
        if (frame !== top) closeFrame(frame);
        frames.pop();
        continue;
      }
      const source = inDirectory(frame.from, entry.name);
      const target = inDirectory(frame.to, entry.name);
      const stat = lstatSync(source, { bigint: true });
      if (stat.isDirectory()) {
        mkdirSync(target, 0o700);
        frames.push(openFrame(source, target, DIRECTORY | constants.O_NOFOLLOW, [...frame.names, entry.name]));
      } else if (!linkAgain(links, top.to, [...frame.names, entry.name], stat, target)) {
        const copied = copyNode(source, target, stat, options);
        if (copied !== undefined) await copied;
        writeAttributes(target, readAttributes(source, stat), options);
      }
    }
  } finally {
    for (const frame of frames) if (frame !== top) closeFrame(frame);
    closeFrame(top);
  }
}

function openFrame(source: string | Buffer, target: string | Buffer, flags: number, names: readonly Buffer[]): Frame {
  const from = openSync(source, flags);
  try {
    const entries = readEntries(inDirectory(from, '.'));
    return { from, to: openSync(target, flags), entries, names };
  } catch (error) {
    closeSync(from);
    throw error;
  }
}

function closeFrame({ from, to }: Frame): void {
  closeSync(from);
  closeSync(to);
}

/** True when the inode was copied before under another name, and has this one now too. */
function linkAgain(
  links: Map<string, readonly Buffer[]>,
  top: number,
  names: readonly Buffer[],
  stat: BigIntStats,
  target: Buffer,
): boolean {
  if (stat.nlink < 2n) return false;
  const inode = `${stat.dev}:${stat.ino}`;
  const first = links.get(inode);
  if (first === undefined) {
    links.set(inode, names);
    return false;
  }
  const directory = openBeneath(top, first.slice(0, -1));
  try {
    linkSync(inDirectory(directory, first.at(-1) as Buffer), target);
  } finally {
    closeSync(directory);
  }
  return true;
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
  const input = openFile(source, stat);
  const path = `/proc/self/fd/${input}`;
  const mode = constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE;
  let later: Promise<void> | undefined;
  try {
    if (stat.blocks * BLOCK_BYTES < stat.size) later = copySparse(input, target, stat.size, call);
    else if (stat.size > ASYNC_BYTES) later = promises.copyFile(path, target, mode);
    else copyFileSync(path, target, mode);
  } finally {
    if (later === undefined) closeSync(input);
  }
  return later?.finally(() => closeSync(input));
}

/** Opens the file that was looked at: a link or FIFO that took its place would lead elsewhere, or block. */
function openFile(path: Buffer, seen: BigIntStats): number {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const stat = fstatSync(fd, { bigint: true });
  if (stat.isFile() && stat.ino === seen.ino && stat.dev === seen.dev) return fd;
  closeSync(fd);
  throw engineError('TREE_CHANGED', `a file was exchanged while it was copied: ${quote(path.toString())}`, {
    details: { path: path.toString() },
  });
}

// Copying byte ranges fills holes, so without shared extents the zeros are left out by hand.
async function copySparse(input: number, target: Buffer, size: bigint, call: CallOptions): Promise<void> {
  try {
    const mode = constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE;
    await promises.copyFile(`/proc/self/fd/${input}`, target, mode);
    return;
  } catch (error) {
    if (!['ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL', 'ENOTTY', 'EXDEV'].includes(errnoOf(error) ?? '')) throw error;
  }
  const slices = new TimeSlices(call);
  const output = openSync(target, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
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
