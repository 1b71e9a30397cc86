import { existsSync, readFileSync, rmdirSync, unlinkSync } from 'node:fs';
import { errnoOf } from '../../os/syscalls/index.js';
import { ensureDirectory, ioError, removeStrayTempFiles, syncDirectory, writeFileAtomic } from '../../state/index.js';
import { assertSafeName } from '../../util/ids.js';
import { safeNames } from './safe-names.js';
import type { HolderKind } from './types.js';

/** A hold that lasts until it is released. */
export interface DurableHold {
  readonly id: string;
  readonly kind: HolderKind;
  readonly since: string;
}

const KINDS: ReadonlySet<unknown> = new Set<HolderKind>(['container', 'ephemeral', 'host']);

/**
 * Holds that survive a power cut, one file each: `<root>/v1/volumes/holders/<volume>/<holder>`. The file's name is the
 * fact: one whose content is damaged holds all the same. Writers hold the volume's lock.
 */
export class DurableHolds {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
    ensureDirectory(dir, { durable: true });
  }

  has(volume: string, holder: string): boolean {
    assertSafeName('holder id', holder);
    return existsSync(this.#path(volume, holder));
  }

  /** When this returns the hold survives a power cut. Idempotent. */
  add(volume: string, hold: DurableHold): void {
    if (this.has(volume, hold.id)) return;
    ensureDirectory(`${this.#dir}/${volume}`, { durable: true });
    try {
      const text = `${JSON.stringify({ kind: hold.kind, since: hold.since })}\n`;
      writeFileAtomic(this.#path(volume, hold.id), text, { durable: true });
    } catch (error) {
      this.#removeIfEmpty(volume);
      throw error;
    }
  }

  /** When this returns no power cut brings it back. Idempotent. */
  delete(volume: string, holder: string): void {
    try {
      unlinkSync(this.#path(volume, holder));
      syncDirectory(`${this.#dir}/${volume}`);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw ioError('remove', this.#path(volume, holder), error);
    }
    this.#removeIfEmpty(volume);
  }

  list(volume: string): DurableHold[] {
    return safeNames(`${this.#dir}/${volume}`).map((id) => this.#read(volume, id));
  }

  /** Names of volumes that have any. */
  volumes(): string[] {
    return safeNames(this.#dir);
  }

  /** True when there is any. */
  hasAny(volume: string): boolean {
    return safeNames(`${this.#dir}/${volume}`).length > 0;
  }

  /** Removes what killed writers left. The caller holds the volume's lock. */
  sweep(volume: string): void {
    try {
      removeStrayTempFiles(`${this.#dir}/${volume}`, 0);
    } catch {
      // There is no such directory.
    }
    this.#removeIfEmpty(volume);
  }

  #path(volume: string, holder: string): string {
    return `${this.#dir}/${volume}/${holder}`;
  }

  #read(volume: string, id: string): DurableHold {
    try {
      const value = JSON.parse(readFileSync(this.#path(volume, id), 'utf8')) as { kind?: unknown; since?: unknown };
      if (KINDS.has(value?.kind) && typeof value.since === 'string') {
        return { id, kind: value.kind as HolderKind, since: value.since };
      }
    } catch {
      // Below.
    }
    // Of a kind that nothing but a release drops.
    return { id, kind: 'host', since: new Date(0).toISOString() };
  }

  #removeIfEmpty(volume: string): void {
    try {
      rmdirSync(`${this.#dir}/${volume}`);
    } catch {
      // Others are in it, or it is gone.
    }
  }
}
