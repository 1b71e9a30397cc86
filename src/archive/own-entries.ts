import { lstatSync, readdirSync } from 'node:fs';
import { fsPath } from './byte-string.js';
import { type Directory, type LayerTree, removeTree } from './layer-tree.js';

/**
 * Remembers what a layer brought to a tree where whiteouts delete: a whiteout is about lower layers only, wherever it
 * stands in the archive.
 */
export class OwnEntries {
  readonly #tree: LayerTree;
  readonly #paths = new Set<string>();

  constructor(tree: LayerTree) {
    this.#tree = tree;
  }

  /** Marks `name` in `directory`, and with it the directories that lead there. */
  add(directory: Directory, name: string): void {
    this.#paths.add(`${directory.path}/${name}`);
    for (let at: Directory | undefined = directory; at !== undefined && !this.#paths.has(at.path); at = at.parent) {
      this.#paths.add(at.path);
    }
  }

  /** Deletes what lower layers have at `name`. */
  removeOthers(directory: Directory, name: string): void {
    if (this.#tree.findInTarget(directory, name) === undefined) return;
    this.#removeOthersAt(`${directory.path}/${name}`);
    this.#tree.forget(directory, name);
  }

  /** Deletes what lower layers have in `directory`. */
  removeAllOthers(directory: Directory): void {
    for (const name of readdirSync(fsPath(directory.path), 'latin1')) this.removeOthers(directory, name);
  }

  #removeOthersAt(path: string): void {
    if (!this.#paths.has(path)) {
      removeTree(path);
      return;
    }
    // Not followed: a link to a directory is no directory here.
    if (!lstatSync(fsPath(path)).isDirectory()) return;
    for (const name of readdirSync(fsPath(path), 'latin1')) this.#removeOthersAt(`${path}/${name}`);
  }
}
