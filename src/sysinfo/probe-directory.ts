import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statfsSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { mountAll, unmount } from '../os/index.js';
import { flock, lgetxattr, lsetxattr } from '../os/syscalls/index.js';

/** What a directory's file system can do, tried out in it. */
export interface DirectoryFacts {
  /** The directory, or its nearest ancestor that exists. */
  readonly probed: string;
  readonly exists: boolean;
  readonly mode: number;
  readonly uid: number;
  /** `ext4`, `tmpfs`, `nfs`… or a hex number. */
  readonly fileSystem: string;
  readonly freeBytes: number;
  readonly freeInodes: number;
  /** Each: `undefined` when it works, else why not. */
  readonly write: string | undefined;
  readonly flock: string | undefined;
  readonly trustedXattr: string | undefined;
  readonly overlay: string | undefined;
}

const MAGIC: Readonly<Record<number, string>> = {
  61267: 'ext4',
  1481003842: 'xfs',
  2435016766: 'btrfs',
  16914836: 'tmpfs',
  2035054128: 'overlay',
  26985: 'nfs',
  4283649346: 'cifs',
  4266872130: 'smb2',
  1702057286: 'fuse',
  16914839: '9p',
  801189825: 'zfs',
  4076150800: 'f2fs',
};

/** Tries out the file system of a directory, in a temporary directory that is gone afterwards. */
export function probeDirectory(path: string, options: { overlay?: boolean } = {}): DirectoryFacts {
  const probed = nearestExisting(path);
  const stat = statSync(probed);
  const fs = statfsSync(probed);
  const base = {
    probed,
    exists: probed === path,
    mode: stat.mode & 0o7777,
    uid: stat.uid,
    fileSystem: MAGIC[fs.type] ?? `0x${fs.type.toString(16)}`,
    freeBytes: fs.bavail * fs.bsize,
    freeInodes: fs.files === 0 ? Number.POSITIVE_INFINITY : fs.ffree,
  };
  let dir: string;
  try {
    dir = mkdtempSync(join(probed, '.caisson-doctor-'));
  } catch (error) {
    const why = reasonOf(error);
    return { ...base, write: why, flock: why, trustedXattr: why, overlay: why };
  }
  try {
    return {
      ...base,
      write: attempt(() => void writeFileSync(join(dir, 'file'), 'x')),
      flock: attempt(() => tryFlock(dir)),
      trustedXattr: attempt(() => tryXattr(dir)),
      overlay: options.overlay === true ? attempt(() => tryOverlay(dir)) : undefined,
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function nearestExisting(path: string): string {
  return existsSync(path) || path === '/' ? path : nearestExisting(dirname(path));
}

type Problem = string | undefined;

function attempt(work: () => Problem): Problem {
  try {
    return work();
  } catch (error) {
    return reasonOf(error);
  }
}

function reasonOf(error: unknown): string {
  const { code, details, message } = error as { code?: string; details?: { errno?: string }; message: string };
  return details?.errno ?? (code?.startsWith('E') ? code : message);
}

/** Two open files of one path must exclude each other. */
function tryFlock(dir: string): Problem {
  const path = join(dir, 'lock');
  const fds = [openSync(path, 'w'), openSync(path, 'w')] as const;
  try {
    if (!flock(fds[0], 'exclusive', { nonBlocking: true })) return 'a free file is locked';
    return flock(fds[1], 'exclusive', { nonBlocking: true }) ? 'two holders got one lock' : undefined;
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}

function tryXattr(dir: string): Problem {
  lsetxattr(dir, 'trusted.caisson.probe', Buffer.from('y'));
  return lgetxattr(dir, 'trusted.caisson.probe')?.toString() === 'y' ? undefined : 'a value did not come back';
}

/** A deleted lower file must stay away from the merged view: a file system without d_type shows its whiteout. */
function tryOverlay(dir: string): Problem {
  const [lower, upper, work, merged] = ['lower', 'upper', 'work', 'merged'].map((name) => join(dir, name)) as [
    string,
    string,
    string,
    string,
  ];
  for (const path of [lower, upper, work, merged]) mkdirSync(path);
  writeFileSync(join(lower, 'gone'), 'x');
  const escaped = (path: string) => path.replace(/[\\:,]/g, '\\$&');
  const options = [`lowerdir=${escaped(lower)}`, `upperdir=${escaped(upper)}`, `workdir=${escaped(work)}`];
  mountAll([{ type: 'overlay', source: 'overlay', options }], merged);
  try {
    unlinkSync(join(merged, 'gone'));
    return readdirSync(merged).length === 0 ? undefined : 'deleted files reappear (no d_type)';
  } finally {
    unmount(merged, { lazy: true });
  }
}
