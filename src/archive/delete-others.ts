import { lstatSync, readdirSync } from 'node:fs';
import { fsPath } from './byte-string.js';
import { type Directory, type LayerTree, removeTree } from './layer-tree.js';

/** Deletes what lower layers have at `name`, for trees where whiteouts delete. */
export function deleteOthers(tree: LayerTree, directory: Directory, name: string): void {
  if (tree.findInTarget(directory, name) === undefined) return;
  deleteOthersAt(tree, `${directory.path}/${name}`);
  tree.forget(directory, name);
}

/** Deletes what lower layers have in `directory`. */
export function deleteAllOthers(tree: LayerTree, directory: Directory): void {
  for (const name of readdirSync(fsPath(directory.path), 'latin1')) deleteOthers(tree, directory, name);
}

function deleteOthersAt(tree: LayerTree, path: string): void {
  if (!tree.ownPaths.has(path)) {
    removeTree(path);
    return;
  }
  // Not followed: a link to a directory is no directory here.
  if (!lstatSync(fsPath(path)).isDirectory()) return;
  for (const name of readdirSync(fsPath(path), 'latin1')) deleteOthersAt(tree, `${path}/${name}`);
}
