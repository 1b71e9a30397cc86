import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  opendirSync,
  openSync,
  renameSync,
  rmdirSync,
  rmSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { copyTree, inDirectory, readAttributes, readEntries, removeBeneath, writeAttributes } from '../../os/index.js';
import { errnoOf, renameNoReplace, syncfsAsync } from '../../os/syscalls/index.js';
import { pinInRoot } from '../../spec/index.js';
import { withFileLock } from '../../state/index.js';
import { type CallOptions, throwIfAborted } from '../../util/signals.js';

/** What is being copied, hidden in the volume; thrown away when its copier died. */
const STAGED = '.caisson-copying';
/** What was copied whole and is being moved to its place; whoever finds it goes on with that. */
const COPIED = '.caisson-copied';

const LONGEST_COPY_MS = 3_600_000;

export interface FirstUse {
  /** The container's mounted root. */
  readonly rootfs: string;
  /** Where in it the volume will be. */
  readonly target: string;
  /** Host directory with the volume's content. */
  readonly mountpoint: string;
  /** Path of a lock file for this volume, in a directory that this makes. */
  readonly lockPath: string;
  /** Only finish or undo what a copier that died has left; copy nothing new. */
  readonly onlyRepair?: boolean;
}

/**
 * Gives an empty volume what the container's image has at the target: content, owners, modes, xattrs, hard links, and the
 * attributes of the directory itself. A volume that has anything in it is left alone.
 *
 * Atomic: the copy is made in a hidden directory of the volume, written out, and marked as whole by a rename; only then are
 * its entries moved to their place. A crash before the mark leaves an empty volume, one after it a volume whose next user
 * goes on moving. Of several containers one copies, the others wait for it. The image's side is resolved inside its root;
 * on the volume's side, where other containers may be at work, nothing follows links. Attributes that the volume's file
 * system can't keep are left out.
 */
export async function copyOnFirstUse(use: FirstUse, call: CallOptions = {}): Promise<void> {
  const root = openSync(use.mountpoint, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    if (isSettled(root, use.onlyRepair === true)) return;
    mkdirSync(dirname(use.lockPath), { recursive: true, mode: 0o700 });
    await withFileLock(
      use.lockPath,
      async () => {
        await copyLocked(root, use, call);
        rmSync(use.lockPath, { force: true });
      },
      { ...call, timeoutMs: LONGEST_COPY_MS },
    );
  } finally {
    closeSync(root);
  }
}

/** Nothing is to be done: the usual case, seen without a lock. */
function isSettled(root: number, onlyRepair: boolean): boolean {
  if (exists(root, COPIED) || exists(root, STAGED)) return false;
  return onlyRepair || !isEmpty(root);
}

async function copyLocked(root: number, use: FirstUse, call: CallOptions): Promise<void> {
  if (exists(root, COPIED)) {
    await moveIn(root, call);
    return;
  }
  // Its copier is dead: it would hold the lock.
  await removeBeneath(root, STAGED, call);
  if (use.onlyRepair === true || !isEmpty(root)) return;
  const source = pinInRoot(use.rootfs, use.target);
  if (source === undefined) return;
  try {
    if (!fstatSync(source).isDirectory()) return;
    await stage(root, source, call);
    await moveIn(root, call);
  } finally {
    closeSync(source);
  }
}

async function stage(root: number, source: number, call: CallOptions): Promise<void> {
  const staged = inDirectory(root, STAGED);
  mkdirSync(staged, 0o700);
  try {
    const target = openDirectory(staged);
    try {
      await copyTree(`/proc/self/fd/${source}`, `/proc/self/fd/${target}`, { ...call, tolerant: true });
    } finally {
      closeSync(target);
    }
    // Else a power cut could leave the mark and not the files' bytes.
    if (readEntries(staged).length > 0) await syncfsAsync(root);
    throwIfAborted(call.signal);
    renameSync(staged, inDirectory(root, COPIED));
  } catch (error) {
    await removeBeneath(root, STAGED).catch(() => {});
    throw error;
  }
}

/** Each step can be done again. What somebody else has put in an entry's place meanwhile stays. */
async function moveIn(root: number, call: CallOptions): Promise<void> {
  const copied = openDirectory(inDirectory(root, COPIED));
  try {
    for (const { name } of readEntries(inDirectory(copied, '.'))) {
      if (!moveEntry(inDirectory(copied, name), inDirectory(root, name))) await removeBeneath(copied, name, call);
    }
    writeAttributes(inDirectory(root, '.'), readAttributes(inDirectory(copied, '.')), { tolerant: true });
  } finally {
    closeSync(copied);
  }
  rmdirSync(inDirectory(root, COPIED));
}

/** False where the place is taken. */
function moveEntry(from: Buffer, to: Buffer): boolean {
  try {
    renameNoReplace(from, to);
    return true;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'EEXIST') return false;
    // A file system that can't promise it (NFS, most of FUSE), or a kernel that lacks the call.
    if (errno !== 'EINVAL' && errno !== 'ENOSYS' && errno !== 'EOPNOTSUPP') throw error;
  }
  if (lstatSync(to, { throwIfNoEntry: false }) !== undefined) return false;
  renameSync(from, to);
  return true;
}

function openDirectory(path: Buffer): number {
  return openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
}

function exists(root: number, name: string): boolean {
  return lstatSync(inDirectory(root, name), { throwIfNoEntry: false }) !== undefined;
}

function isEmpty(root: number): boolean {
  const directory = opendirSync(`/proc/self/fd/${root}/.`, { bufferSize: 1 });
  try {
    return directory.readSync() === null;
  } finally {
    directory.closeSync();
  }
}
