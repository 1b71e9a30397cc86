import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const IMAGE_BYTES = 4 * 2 ** 30;

export interface Storage {
  readonly dir: string;
  /** What the numbers were taken on. */
  readonly kind: string;
  /** Unmounts and removes all of it. */
  remove(): void;
}

/**
 * A journaled ext4 in a file: the same on every machine. The root file system may be anything, and some are slow in ways
 * that have nothing to do with containers (ext4 without a journal creates files up to eight times slower after many
 * were removed).
 */
export function makeStorage(): Storage {
  const base = mkdtempSync(join(tmpdir(), 'caisson-bench-'));
  const image = join(base, 'disk');
  const dir = join(base, 'mnt');
  mkdirSync(dir);
  try {
    writeFileSync(image, '');
    truncateSync(image, IMAGE_BYTES);
    execFileSync('mkfs.ext4', ['-q', '-O', 'has_journal', image], { stdio: 'ignore' });
    execFileSync('mount', ['-o', 'loop', image, dir], { stdio: 'ignore' });
  } catch {
    rmSync(image, { force: true });
    return {
      dir,
      kind: `the file system of ${tmpdir()}`,
      remove: () => rmSync(base, { recursive: true, force: true }),
    };
  }
  chmodSync(dir, 0o700);
  const remove = (): void => {
    try {
      execFileSync('umount', [dir], { stdio: 'ignore' });
    } catch {
      execFileSync('umount', ['-l', dir], { stdio: 'ignore' });
    }
    rmSync(base, { recursive: true, force: true });
  };
  return { dir, kind: 'ext4 with a journal, on a loop device', remove };
}
