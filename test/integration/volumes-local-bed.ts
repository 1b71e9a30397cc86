import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { EngineError, type Reason } from '#src/errors/index.js';
import { readMountInfo } from '#src/os/index.js';
import { MNT_DETACH, umount } from '#src/os/syscalls/index.js';
import { LocalVolumeDriver, type LocalVolumeDriverOptions } from '#src/volumes/local/index.js';

/** Directories of a local driver in a directory that is unmounted and removed after the test. */
export class LocalBed {
  readonly root = mkdtempSync(join(tmpdir(), 'caisson-local-'));
  readonly dir = join(this.root, 'volumes');
  readonly runDir = join(this.root, 'run');
  readonly #loops: string[] = [];

  constructor(t: TestContext) {
    t.after(() => {
      for (const { mountPoint } of readMountInfo().reverse()) {
        if (mountPoint.startsWith(`${this.root}/`)) umount(mountPoint, MNT_DETACH);
      }
      for (const loop of this.#loops) execFileSync('losetup', ['-d', loop]);
      rmSync(this.root, { recursive: true, force: true });
    });
  }

  open(options: Partial<LocalVolumeDriverOptions> = {}): Promise<LocalVolumeDriver> {
    return LocalVolumeDriver.open({ dir: this.dir, runDir: this.runDir, ...options });
  }

  make(...names: string[]): string {
    const path = join(this.root, ...names);
    mkdirSync(path, { recursive: true });
    return path;
  }

  data(volume: string): string {
    return join(this.dir, volume, '_data');
  }

  mountsAt(path: string) {
    return readMountInfo().filter((one) => one.mountPoint === path);
  }

  /** A loop device with a new file system of this type. */
  loopDevice(mkfs: string, size: string, ...args: string[]): string {
    const image = join(this.root, `disk-${this.#loops.length}`);
    execFileSync('truncate', ['-s', size, image]);
    execFileSync(mkfs, ['-q', ...args, image]);
    const loop = execFileSync('losetup', ['-f', '--show', image]).toString().trim();
    this.#loops.push(loop);
    return loop;
  }
}

/** For `assert.rejects`: an EngineError of this reason. */
export function reason(wanted: Reason) {
  return (error: unknown): boolean => {
    if (EngineError.is(error, undefined, wanted)) return true;
    throw error;
  };
}
