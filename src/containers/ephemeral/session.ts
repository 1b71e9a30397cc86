import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { engineError } from '../../errors/index.js';
import { identifyProcess } from '../../os/index.js';
import { flock } from '../../os/syscalls/index.js';
import { newToken } from '../../util/ids.js';
import { Sweeper, type SweeperPaths } from './sweeper.js';

export interface SessionDeps {
  readonly sessionsDir: string;
  readonly runDir: string;
  readonly cgroupParent: string;
  readonly cgroupMountPoints: readonly string[];
}

/**
 * One engine's presence on a root: a directory in the run dir, and in it a lock file that this process holds as long
 * as it lives (a kernel fact, freed by SIGKILL). Throwaway containers and exec sessions have their files below it, so
 * whoever finds the lock free knows what a dead host has left.
 */
export class Session {
  readonly id: string;
  readonly dir: string;
  readonly #deps: SessionDeps;
  readonly #lockFd: number;
  #sweeper: Sweeper | undefined;
  #execDirMade = false;
  #closed = false;

  constructor(deps: SessionDeps) {
    this.#deps = deps;
    this.id = newToken();
    this.dir = `${deps.sessionsDir}/${this.id}`;
    // A session becomes visible only when its lock is held: a directory without a held lock is a dead session.
    const building = `${deps.sessionsDir}/.${this.id}`;
    mkdirSync(building, { mode: 0o700 });
    this.#lockFd = openSync(`${building}/lock`, 'wx', 0o600);
    flock(this.#lockFd, 'exclusive', { nonBlocking: true });
    writeFileSync(`${building}/owner.json`, JSON.stringify(identifyProcess(process.pid)), { mode: 0o600 });
    renameSync(building, this.dir);
  }

  /** The process group for runtime processes; starts the sweeper with the first call, and again should it have died. */
  processGroup(): number {
    if (this.#closed) throw engineError('CLOSED', 'the engine is closed');
    if (this.#sweeper === undefined || !this.#sweeper.alive) {
      if (this.#sweeper === undefined) mkdirSync(`${this.dir}/c`, { mode: 0o700, recursive: true });
      const paths: SweeperPaths = { sessionDir: this.dir, ...this.#deps };
      this.#sweeper = new Sweeper(paths);
    }
    return this.#sweeper.processGroup;
  }

  containerDir(id: string): string {
    return `${this.dir}/c/${id}`;
  }

  /** Makes the directory of a throwaway container, with links to all other paths that go with it: the sweep's list. */
  makeContainerDir(id: string, ownPaths: readonly string[]): string {
    this.processGroup();
    const dir = this.containerDir(id);
    mkdirSync(dir, { mode: 0o700 });
    mkdirSync(`${dir}/own`, { mode: 0o700 });
    ownPaths.forEach((path, n) => {
      symlinkSync(path, `${dir}/own/${n}`);
    });
    return dir;
  }

  /** Makes the directory of an exec session. */
  makeExecDir(token: string): string {
    this.processGroup();
    if (!this.#execDirMade) {
      mkdirSync(`${this.dir}/x`, { mode: 0o700, recursive: true });
      this.#execDirMade = true;
    }
    const dir = `${this.dir}/x/${token}`;
    mkdirSync(dir, { mode: 0o700 });
    return dir;
  }

  /** Ends the session. Its containers must be gone; what is left in spite of that stays for the sweep. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const left = existsSync(`${this.dir}/c`) && readdirSync(`${this.dir}/c`).length > 0;
    if (!left) rmSync(this.dir, { recursive: true, force: true });
    await this.#sweeper?.close();
    closeSync(this.#lockFd);
  }
}
