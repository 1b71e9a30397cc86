import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { diffSnapshots, type Snapshot, scopedSnapshot } from './leaks.js';

export interface TempRoot {
  /** Empty, private (0700), on a disk file system where the temp directory is on one. */
  readonly root: string;
  /** Empty, private. */
  readonly runDir: string;
  /** The directory that holds both; free for other files of the test. */
  readonly dir: string;
}

/** A test context, or the `after` of node:test inside a suite. */
export interface Afterwards {
  after(work: () => void): void;
}

/** A directory that is removed after the test (or suite: `tempDir({ after })`). */
export function tempDir(t: Afterwards, name = 'dir'): string {
  const dir = mkdtempSync(join(tmpdir(), `caisson-${name}-`));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/**
 * Gives `work` a fresh root and run dir, then checks that nothing that carries their path is left (processes, mounts,
 * sockets; given a second to go away) and removes them.
 */
export async function withTempRoot<T>(work: (temp: TempRoot) => Promise<T> | T): Promise<T> {
  const dir = mkdtempSync(join(tmpdir(), 'caisson-r-'));
  const temp = { dir, root: mkdtempSync(join(dir, 'root-')), runDir: mkdtempSync(join(dir, 'run-')) };
  const before = scopedSnapshot(dir);
  let leaks: string[] = [];
  try {
    const result = await work(temp);
    leaks = await settledLeaks(dir, before);
    if (leaks.length > 0) throw new Error(`left behind in ${dir}:\n${leaks.join('\n')}`);
    return result;
  } finally {
    // A tree with live mounts in it is left for the person who looks into the failure.
    if (leaks.length === 0 && diffSnapshots(before, scopedSnapshot(dir)).length === 0) {
      rmSync(dir, { recursive: true, force: true });
    }
  }
}

/** Leaks under `dir` that are still there after `limitMs`. */
export async function settledLeaks(dir: string, before: Snapshot, limitMs = 1_000): Promise<string[]> {
  const endsAt = Date.now() + limitMs;
  for (;;) {
    const leaks = diffSnapshots(before, scopedSnapshot(dir));
    if (leaks.length === 0 || Date.now() >= endsAt) return leaks;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
