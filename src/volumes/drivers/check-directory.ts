import { constants, readlinkSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { quote } from '../../errors/index.js';
import { KeyedMutex } from '../../util/keyed-mutex.js';
import { type CallOptions, raceSignal } from '../../util/signals.js';
import { badAnswer, type DriverCall } from './driver-error.js';

/** Opens a path only to name it: nothing is read, and a file system that does not answer is asked as little as can be. */
const O_PATH = 0o10000000;

export interface DirectoryRules {
  /** Directories that hold state of the engine: no driver may offer what is in them. */
  readonly protectedDirs: readonly string[];
  /** Parts of protectedDirs that may be offered all the same. */
  readonly allowedDirs: readonly string[];
}

/**
 * Sees that mountpoints are directories, and what they are behind symbolic links. One at a time for a driver: its file
 * system may hang, each hanging look takes a thread of the pool that the whole process shares, and that has four.
 */
export class DirectoryCheck {
  readonly #rules: DirectoryRules;
  readonly #turns = new KeyedMutex();

  constructor(rules: DirectoryRules) {
    this.#rules = rules;
  }

  /** `followsLinks` false: the path must be free of symbolic links, because its owner is no one we trust with the host. */
  async assertUsable(
    subject: DriverCall,
    mountpoint: string,
    options: CallOptions & { readonly followsLinks: boolean },
  ): Promise<void> {
    const look = this.#turns.run('', () => realDirectory(subject, mountpoint), options);
    const real = await raceSignal(look, options.signal);
    if (real === '/') throw badAnswer(subject, `the mountpoint ${quote(mountpoint)}, which leads to the host's root`);
    if (!options.followsLinks && real !== mountpoint) {
      throw badAnswer(subject, `the mountpoint ${quote(mountpoint)}, which a symbolic link leads to ${quote(real)}`);
    }
    const inside = this.#rules.protectedDirs.find((dir) => isWithin(real, dir) || isWithin(dir, real));
    if (inside === undefined || this.#rules.allowedDirs.some((dir) => isWithin(real, dir))) return;
    throw badAnswer(
      subject,
      `the mountpoint ${quote(mountpoint)}, where the engine keeps its state (${quote(inside)})`,
    );
  }
}

/** True when `path` is `dir` or below it. */
function isWithin(path: string, dir: string): boolean {
  return path === dir || path.startsWith(dir.endsWith('/') ? dir : `${dir}/`);
}

async function realDirectory(subject: DriverCall, mountpoint: string): Promise<string> {
  try {
    const handle = await open(mountpoint, O_PATH | constants.O_DIRECTORY);
    try {
      return readlinkSync(`/proc/self/fd/${handle.fd}`);
    } finally {
      await handle.close();
    }
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).code ?? 'an unknown error';
    throw badAnswer(subject, `the mountpoint ${quote(mountpoint)}, which is no directory here (${errno})`, error);
  }
}
