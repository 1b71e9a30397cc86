import { closeSync, openSync, readdirSync, rmSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { bootId } from '../../os/index.js';
import { errnoOf } from '../../os/syscalls/index.js';
import { ensureDirectory, ioError } from '../../state/index.js';
import { assertSafeName } from '../../util/ids.js';

const BOOT_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * Who has mounted which volume in this boot: an empty file per (volume, id) under `<runDir>/<boot id>/holders`. A set,
 * not a count: the same id again changes nothing, and one can't drop another's. Nothing is fsynced: mounts don't
 * survive a power cut either.
 */
export class HolderFiles {
  readonly #holders: string;
  readonly #locks: string;
  readonly #attempts: string;

  constructor(runDir: string, boot = bootId()) {
    const own = join(runDir, boot);
    this.#holders = join(own, 'holders');
    this.#locks = join(own, 'locks');
    this.#attempts = join(own, 'attempts');
    ensureDirectory(this.#holders);
    ensureDirectory(this.#locks);
    ensureDirectory(this.#attempts);
    // Mounts of another boot are gone, and with them what was said of them.
    for (const name of readdirSync(runDir)) {
      if (BOOT_ID.test(name) && name !== boot) rmSync(join(runDir, name), { recursive: true, force: true });
    }
  }

  /** The lock of a volume, for all processes of this boot. */
  lockPath(volume: string): string {
    return join(this.#locks, volume);
  }

  /** A file whose lock a process has that mounts or unmounts the volume. */
  attemptPath(volume: string): string {
    return join(this.#attempts, volume);
  }

  list(volume: string): string[] {
    try {
      return readdirSync(join(this.#holders, volume)).sort();
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return [];
      throw ioError('list', join(this.#holders, volume), error);
    }
  }

  /** False when it was one already. The caller has the volume's lock. */
  add(volume: string, id: string): boolean {
    const directory = this.#directory(volume, id);
    try {
      ensureDirectory(directory);
      closeSync(openSync(join(directory, id), 'wx', 0o600));
      return true;
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') return false;
      throw ioError('write', join(directory, id), error);
    }
  }

  /** False when it was none. The caller has the volume's lock. */
  drop(volume: string, id: string): boolean {
    const directory = this.#directory(volume, id);
    try {
      unlinkSync(join(directory, id));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return false;
      throw ioError('remove', join(directory, id), error);
    }
    return true;
  }

  /** Forgets a volume that is removed, its lock files too. The caller has the volume's lock. */
  forget(volume: string): void {
    rmSync(join(this.#holders, volume), { recursive: true, force: true });
    rmSync(this.attemptPath(volume), { force: true });
    rmSync(this.lockPath(volume), { force: true });
  }

  #directory(volume: string, id: string): string {
    assertSafeName('holder id', id);
    return join(this.#holders, volume);
  }
}
