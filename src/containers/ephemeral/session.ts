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
import { basename, dirname } from 'node:path';
import { engineError, quote } from '../../errors/index.js';
import { bootId, identifyProcess, isAlive, type ProcessIdentity } from '../../os/index.js';
import { flock } from '../../os/syscalls/index.js';
import { newToken } from '../../util/ids.js';
import { Sweeper, type SweeperPaths } from './sweeper.js';

export interface SessionDeps {
  readonly sessionsDir: string;
  readonly cgroupParent: string;
  readonly cgroupMountPoints: readonly string[];
}

/** Name of a session that is being made: it has no lock to tell by yet whether its maker lives. */
function buildingName(owner: ProcessIdentity, id: string): string {
  return `.${owner.pid}.${owner.startTime}.${id}`;
}

/** True for the name of a session that a living process is just making. */
export function isBeingMade(name: string): boolean {
  const [, pid, startTime] = /^\.(\d+)\.(\d+)\./.exec(name) ?? [];
  return startTime !== undefined && isAlive({ pid: Number(pid), startTime, bootId: bootId() });
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
  readonly #ownParents = new Set<string>();
  #execDirMade = false;
  #closed = false;

  constructor(deps: SessionDeps) {
    this.#deps = deps;
    this.id = newToken();
    this.dir = `${deps.sessionsDir}/${this.id}`;
    // A session becomes visible only when its lock is held: a directory without a held lock is a dead session.
    const owner = identifyProcess(process.pid) as ProcessIdentity;
    const building = `${deps.sessionsDir}/${buildingName(owner, this.id)}`;
    mkdirSync(building, { mode: 0o700 });
    this.#lockFd = openSync(`${building}/lock`, 'wx', 0o600);
    flock(this.#lockFd, 'exclusive', { nonBlocking: true });
    writeFileSync(`${building}/owner.json`, JSON.stringify(owner), { mode: 0o600 });
    renameSync(building, this.dir);
  }

  /** The process group for runtime processes; starts the sweeper with the first call, and again should it have died. */
  processGroup(): number {
    if (this.#closed) throw engineError('CLOSED', 'the engine is closed');
    if (this.#sweeper === undefined) mkdirSync(`${this.dir}/c`, { mode: 0o700, recursive: true });
    if (this.#sweeper === undefined || !this.#sweeper.alive) this.#startSweeper();
    return (this.#sweeper as Sweeper).processGroup;
  }

  #startSweeper(): void {
    const paths: SweeperPaths = { sessionDir: this.dir, ...this.#deps };
    this.#sweeper = new Sweeper(paths, () => {
      // At once: there are containers to watch over.
      try {
        this.#startSweeper();
      } catch {
        // The next container's start tells.
      }
    });
  }

  containerDir(id: string): string {
    return `${this.dir}/c/${id}`;
  }

  /**
   * Makes the directory of a throwaway container: with it, the container is on the sweep's list. `ownPaths` are the
   * other paths that go with it. Each is named after the container, so the list needs their parents only.
   */
  makeContainerDir(id: string, ownPaths: readonly string[]): string {
    this.processGroup();
    for (const path of ownPaths) this.own(id, path);
    const dir = this.containerDir(id);
    mkdirSync(dir, { mode: 0o700 });
    return dir;
  }

  /** Puts one more path that goes with the container on the list, before it is made. */
  own(id: string, path: string): void {
    const parent = dirname(path);
    if (this.#ownParents.has(parent)) return;
    if (basename(path) !== id) throw engineError('BUG', `path ${quote(path)} is not named ${id}`);
    if (this.#ownParents.size === 0) mkdirSync(`${this.dir}/own`, { mode: 0o700, recursive: true });
    symlinkSync(parent, `${this.dir}/own/${this.#ownParents.size}`);
    this.#ownParents.add(parent);
  }

  /** Where a throwaway container's output is kept: beside its directory, so that it can be read after the end. */
  logPath(id: string): string {
    return `${this.dir}/${id}.log`;
  }

  /** Makes the directory of an exec session. Its name has the container's id, by which a sweep tells the process from others. */
  makeExecDir(containerId: string, token: string): string {
    this.processGroup();
    if (!this.#execDirMade) {
      mkdirSync(`${this.dir}/x`, { mode: 0o700, recursive: true });
      this.#execDirMade = true;
    }
    const dir = `${this.dir}/x/${containerId}.${token}`;
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
