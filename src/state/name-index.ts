import { readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { engineError, quote } from '../errors/index.js';
import { errnoOf } from '../os/syscalls/index.js';
import { assertSafeName, SAFE_NAME } from '../util/ids.js';
import { removeStrayTempFiles } from './atomic-file.js';
import { ensureDirectory } from './directories.js';
import { ioError } from './io-error.js';
import { currentOwner, dropOwnership, takeOwnership } from './owned-directory.js';

/**
 * Unique names of objects: `<dir>/<name>/<id>`. Claims are exclusive between processes and need no lock; a name
 * whose holder is gone can be claimed at once.
 */
export class NameIndex {
  readonly #dir: string;

  constructor(options: { readonly dir: string }) {
    this.#dir = options.dir;
    ensureDirectory(options.dir, { durable: true });
  }

  /**
   * Gives `name` to `id`. Idempotent for the same id. Throws NAME_TAKEN (details.holder) while `isLive` says that the
   * holder exists; it must say so from before the claim on (a begun intent counts), else another may take the name.
   * `durable` (default true): the claim survives a power cut.
   */
  claim(
    name: string,
    id: string,
    isLive: (holderId: string) => boolean,
    options: { readonly durable?: boolean } = {},
  ): void {
    assertSafeName('id', id);
    const path = this.#path(name);
    const { durable = true } = options;
    for (;;) {
      const holder = this.#guard('read name', path, () => currentOwner(path))?.holder;
      if (holder === id) return;
      if (holder !== undefined) {
        if (isLive(holder)) {
          throw engineError('NAME_TAKEN', `name ${quote(name)} belongs to ${quote(holder)}`, {
            details: { name, holder },
          });
        }
        this.#guard('free name', path, () => dropOwnership(path, holder));
      }
      if (this.#guard('claim name', path, () => takeOwnership(path, { holder: id, content: '' }, { durable }))) return;
    }
  }

  /** Frees the name if `id` holds it; idempotent. */
  release(name: string, id: string): void {
    assertSafeName('id', id);
    const path = this.#path(name);
    this.#guard('free name', path, () => dropOwnership(path, id));
  }

  /** The id that holds the name. */
  find(name: string): string | undefined {
    const path = this.#path(name);
    return this.#guard('read name', path, () => currentOwner(path))?.holder;
  }

  /** Every name and its holder. */
  list(): Map<string, string> {
    const found = new Map<string, string>();
    for (const name of this.#guard('list names', this.#dir, () => readdirSync(this.#dir))) {
      const holder = SAFE_NAME.test(name) ? this.find(name) : undefined;
      if (holder !== undefined) found.set(name, holder);
    }
    return found;
  }

  /** Removes what killed processes left: half-made claims, and names that nobody holds. Returns how many. */
  sweep(): number {
    const empty = this.#guard('list names', this.#dir, () => readdirSync(this.#dir)).filter(
      // Not a claim that is just being made: it has a name of another form. The kernel keeps a name that is held.
      (name) => SAFE_NAME.test(name) && removedEmpty(join(this.#dir, name)),
    );
    return empty.length + removeStrayTempFiles(this.#dir, 0);
  }

  #path(name: string): string {
    assertSafeName('name', name);
    return join(this.#dir, name);
  }

  #guard<T>(action: string, path: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw errnoOf(error) === undefined ? error : ioError(action, path, error);
    }
  }
}

function removedEmpty(path: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch {
    return false;
  }
}
