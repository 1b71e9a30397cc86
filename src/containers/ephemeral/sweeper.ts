import { closeSync } from 'node:fs';
import { engineError } from '../../errors/index.js';
import type { Child } from '../../os/index.js';
import { SYSTEM_ENV, spawnChild } from '../../os/index.js';
import { pipe2 } from '../../os/syscalls/index.js';
import { SWEEP_SCRIPT, WATCH_SCRIPT } from './sweeper-script.js';

export interface SweeperPaths {
  readonly sessionDir: string;
  readonly cgroupParent: string;
  readonly cgroupMountPoints: readonly string[];
}

/**
 * One tiny shell process outside the host that ends the host's throwaway containers when the host dies, SIGKILL
 * included. It holds no descriptor but its end of a pipe, so it sees the death as end-of-file, at once and without
 * polling.
 */
export class Sweeper {
  readonly #child: Child;
  #holdFd: number | undefined;
  #alive = true;

  /** `onKill` is called when a signal ends it before `close`. One that ends by itself can't live here: no use in another. */
  constructor(paths: SweeperPaths, onKill: () => void) {
    const { readFd, writeFd } = pipe2();
    try {
      this.#child = spawnChild({
        file: '/bin/sh',
        args: [
          '-c',
          WATCH_SCRIPT,
          'caisson-watch',
          SWEEP_SCRIPT,
          paths.sessionDir,
          paths.cgroupParent,
          ...paths.cgroupMountPoints,
        ],
        env: SYSTEM_ENV,
        cwd: '/',
        stdin: readFd,
        stdout: 'null',
        stderr: 'null',
        processGroup: 0,
      });
    } catch (cause) {
      closeSync(writeFd);
      throw engineError('SWEEPER_FAILED', '/bin/sh could not be started', { cause });
    } finally {
      closeSync(readFd);
    }
    this.#holdFd = writeFd;
    this.#child.unref();
    void this.#child.exit.then(({ signal }) => {
      this.#alive = false;
      if (this.#holdFd === undefined) return;
      closeSync(this.#holdFd);
      this.#holdFd = undefined;
      if (signal !== null) onKill();
    });
  }

  /** Its process group; every runtime process of this host joins it, so that none outlives the host half-started. */
  get processGroup(): number {
    return this.#child.pid;
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** Tells it that the host is done; it looks whether anything is left, and ends. */
  async close(): Promise<void> {
    if (this.#holdFd !== undefined) closeSync(this.#holdFd);
    this.#holdFd = undefined;
    // It was unref'd; now somebody waits for it.
    // allow timer: cleared below
    const keepAlive = setInterval(() => {}, 0x7fffffff);
    await this.#child.exit;
    clearInterval(keepAlive);
  }
}
