import { closeSync, fstatSync, mkdirSync, openSync, readFileSync, rmdirSync, unlinkSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import * as v from 'valibot';
import { bootId, isAlive, type ProcessIdentity } from '../../os/process-identity.js';
import { errnoOf } from '../../os/syscalls/index.js';
import { ioError, removeStrayTempFiles, writeFileAtomic } from '../../state/index.js';
import { assertSafeName } from '../../util/ids.js';
import type { Operation } from './ports.js';
import { safeNames } from './safe-names.js';
import type { HolderKind } from './types.js';
import { IdentitySchema, OperationSchema } from './volume-record.js';

/** What the driver was told for one holder. `mounting` and `unmounting`: it may have been told. */
export interface MountFact {
  readonly id: string;
  readonly status: 'mounting' | 'mounted' | 'unmounting';
  readonly driver: string;
  readonly generation?: string;
  readonly mountpoint?: string;
  readonly op?: Operation;
}

/** What is true of one (volume, holder) in this boot. */
export interface Use {
  readonly boot: string;
  readonly holder: string;
  readonly kind: HolderKind;
  readonly since: string;
  /** The hold itself is here and ends with this process; without one it is among the durable holds. */
  readonly owner?: ProcessIdentity;
  readonly mount?: MountFact;
}

const Stored = v.object({
  boot: v.string(),
  holder: v.string(),
  kind: v.picklist(['container', 'ephemeral', 'host']),
  since: v.string(),
  owner: v.exactOptional(IdentitySchema),
  mount: v.exactOptional(
    v.object({
      id: v.string(),
      status: v.picklist(['mounting', 'mounted', 'unmounting']),
      driver: v.string(),
      generation: v.exactOptional(v.string()),
      mountpoint: v.exactOptional(v.string()),
      op: v.exactOptional(OperationSchema),
    }),
  ),
});

/**
 * Mounts, and holds that end with a process: `<run>/volumes/uses/<volume>/<holder>`. Never flushed; what carries
 * another boot's id is nothing. Writers hold the volume's lock.
 */
export class Uses {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
    mkdirSync(dir, { recursive: true, mode: 0o700 });
  }

  find(volume: string, holder: string): Use | undefined {
    assertSafeName('holder id', holder);
    const use = this.#read(volume, holder);
    return use?.boot === bootId() ? use : undefined;
  }

  /**
   * Overwrites in place where there is a file: a tenth of the cost of replacing it, and needs no space. One write of
   * less than a page is whole even when its process is killed; a reader that meets it sees that the sum is wrong.
   */
  write(volume: string, use: Use): void {
    const path = this.#path(volume, use.holder);
    const text = encode(use);
    if (overwrite(path, text)) return;
    try {
      writeFileAtomic(path, text, { durable: false });
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
      mkdirSync(`${this.#dir}/${volume}`, { recursive: true, mode: 0o700 });
      writeFileAtomic(path, text, { durable: false });
    }
  }

  delete(volume: string, holder: string): void {
    try {
      unlinkSync(this.#path(volume, holder));
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw ioError('remove', this.#path(volume, holder), error);
    }
  }

  /** All of a volume that are of this boot. */
  list(volume: string): Use[] {
    const uses: Use[] = [];
    for (const holder of safeNames(`${this.#dir}/${volume}`)) {
      const use = this.find(volume, holder);
      if (use !== undefined) uses.push(use);
    }
    return uses;
  }

  /** Names of volumes that have any. */
  volumes(): string[] {
    return safeNames(this.#dir);
  }

  /** Removes what an earlier boot or killed writers left. The caller holds the volume's lock. */
  sweep(volume: string): void {
    for (const holder of safeNames(`${this.#dir}/${volume}`)) {
      if (this.#read(volume, holder)?.boot !== bootId()) this.delete(volume, holder);
    }
    try {
      removeStrayTempFiles(`${this.#dir}/${volume}`, 0);
    } catch {
      // There is no such directory.
    }
  }

  /** Takes away a volume's empty directory. The caller holds the volume's lock. */
  tidy(volume: string): void {
    try {
      rmdirSync(`${this.#dir}/${volume}`);
    } catch {
      // Others are in it, or it is gone.
    }
  }

  #path(volume: string, holder: string): string {
    return `${this.#dir}/${volume}/${holder}`;
  }

  #read(volume: string, holder: string): Use | undefined {
    // A writer is done in microseconds; what stays wrong was torn by a power cut, of another boot in any case.
    for (let tries = 0; tries < 10; tries++) {
      const text = readIfThere(this.#path(volume, holder));
      if (text === undefined) return undefined;
      const use = decode(text);
      if (use !== undefined) return use.holder === holder ? use : undefined;
    }
    return undefined;
  }
}

/** True for a hold that is kept here and whose process lives. */
export function isLiving(use: Use): boolean {
  return use.owner !== undefined && isAlive(use.owner);
}

/** Nearly all states of a use fit, so that each can be written in place of the one before. */
const ROOM = 1024;
const PAGE = 4096;

function encode(use: Use): Buffer {
  const json = JSON.stringify(use);
  const bytes = Buffer.byteLength(json) + 9;
  const length = Math.ceil(bytes / ROOM) * ROOM;
  return Buffer.from(`${checksum(json)} ${json}${' '.repeat(length - bytes)}`);
}

function decode(text: string): Use | undefined {
  const json = text.slice(9).trimEnd();
  if (text.slice(0, 8) !== checksum(json)) return undefined;
  const parsed = v.safeParse(Stored, JSON.parse(json));
  return parsed.success ? parsed.output : undefined;
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0');
}

/** False when there is no file of that length. */
function overwrite(path: string, text: Buffer): boolean {
  if (text.length > PAGE) return false;
  let fd: number;
  try {
    fd = openSync(path, 'r+');
  } catch {
    return false;
  }
  try {
    return fstatSync(fd).size === text.length && writeSync(fd, text, 0, text.length, 0) === text.length;
  } finally {
    closeSync(fd);
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return undefined;
    throw ioError('read', path, error);
  }
}
