import {
  type BigIntStats,
  chmodSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  rmdirSync,
  unlinkSync,
} from 'node:fs';
import { errnoOf, lgetxattr, lsetxattr, mknod } from '../os/syscalls/index.js';
import { badLayer } from './archive-error.js';
import { byteString, fsPath, syscallPath } from './byte-string.js';
import type { DeferredSteps } from './deferred-steps.js';
import { copyMetadata, type Ownership, setTime } from './layer-metadata.js';

/**
 * How a layer is unpacked: into a plain directory where a whiteout becomes an overlay whiteout (`overlay`: character
 * device 0:0, opaque attribute) or into the full tree where a whiteout deletes (`apply`). The snapshotters' own type
 * of this name fits it.
 */
export interface LayerTarget {
  readonly path: string;
  readonly whiteouts: 'overlay' | 'apply';
  /** For `overlay`: the parents' directories, top first. */
  readonly lowerPaths: readonly string[];
}

/** A real directory of the merged tree: no part of `path` below the root is a symbolic link. Paths are byte strings. */
export interface Directory {
  readonly parent: Directory | undefined;
  readonly path: string;
  /** False while it exists in lower layers only. */
  inTarget: boolean;
  /** Made just now, so that nothing of an older one sticks to it. */
  isNew: boolean;
  /** True once the archive said what it is like. */
  hasEntry: boolean;
  /** The lower directories that show through, top first; looked for when first needed, for most are never asked for. */
  lowers: readonly string[] | undefined;
  readonly children: Map<string, Directory>;
}

/** Something found in the merged tree. */
export interface FoundNode {
  readonly path: string;
  readonly stat: BigIntStats;
  readonly inTarget: boolean;
}

const OPAQUE_XATTR = 'trusted.overlay.opaque';
const MAX_LINKS = 255;
const S_IFCHR = 0o020000;

/**
 * The tree that a layer is unpacked into, as a container will see it: the target over its lower layers. Nothing leaves
 * the target's root: each component is looked at without following, links are followed by hand as inside a chroot, and
 * only the target is written to. This is safe as long as nobody else writes to the target.
 */
export class LayerTree {
  readonly root: Directory;
  readonly isOverlay: boolean;
  /** Times that directories get when everything else is done, by path. */
  readonly directoryTimes = new Map<string, bigint>();
  /**
   * What this layer brought: directories with an entry or above one and, where whiteouts delete, all entries. A whiteout
   * is about lower layers only, wherever it stands in the archive.
   */
  readonly ownPaths = new Set<string>();
  /** What waits for the lower layers, while they are not known. */
  deferred: DeferredSteps | undefined;
  readonly #ownership: Ownership;
  #wasAnyRemoved = false;
  /** Directories by the path that an entry gave, links in it resolved. */
  readonly #resolved = new Map<string, Directory>();

  constructor(target: LayerTarget, ownership: Ownership, deferred?: DeferredSteps) {
    this.isOverlay = target.whiteouts === 'overlay';
    this.#ownership = ownership;
    this.deferred = deferred;
    const path = byteString(target.path.replace(/\/+$/, ''));
    const lowers = this.isOverlay ? target.lowerPaths.map(byteString) : [];
    this.root = {
      parent: undefined,
      path,
      inTarget: true,
      isNew: false,
      hasEntry: false,
      lowers,
      children: new Map(),
    };
    if (lowers[0] !== undefined) copyMetadata(lowers[0], path, ownership);
    this.directoryTimes.set(path, lstatSync(fsPath(path), { bigint: true }).mtimeNs);
  }

  /** What is at `name` of `directory` in the merged tree; whiteouts are not seen. */
  find(directory: Directory, name: string): FoundNode | undefined {
    if (directory.inTarget) {
      const found = this.findInTarget(directory, name);
      if (found !== undefined) return this.isOverlay && isWhiteout(found.stat) ? undefined : found;
    }
    return this.#findInLowers(directory, name);
  }

  findInTarget(directory: Directory, name: string): FoundNode | undefined {
    const path = `${directory.path}/${name}`;
    const stat = lstat(path);
    return stat === undefined ? undefined : { path, stat, inTarget: true };
  }

  #findInLowers(directory: Directory, name: string): FoundNode | undefined {
    for (const lower of this.lowersOf(directory)) {
      const path = `${lower}/${name}`;
      const stat = lstat(path);
      if (stat !== undefined) return isWhiteout(stat) ? undefined : { path, stat, inTarget: false };
    }
    return undefined;
  }

  /** The lower directories that show through `directory`, top first; none in a tree that is no overlay. */
  lowersOf(directory: Directory): readonly string[] {
    if (this.deferred !== undefined) return [];
    if (directory.lowers === undefined) {
      const parent = directory.parent as Directory;
      const name = directory.path.slice(parent.path.length + 1);
      const hides = directory.inTarget && !directory.isNew && isOpaque(directory.path);
      directory.lowers = !this.isOverlay || hides ? [] : mergedAt(this.lowersOf(parent), name);
    }
    return directory.lowers;
  }

  /** The directory that `components` lead to in the merged tree; undefined where one is missing or is none. */
  findDirectory(components: readonly string[], entryPath: string): Directory | undefined {
    return this.#walk(components, entryPath, false);
  }

  /** The same, made where it is missing (0755, of root, with the time `mtimeNs`) and present in the target. */
  ensureDirectory(components: readonly string[], entryPath: string, mtimeNs: bigint): Directory {
    const directory = this.#walk(components, entryPath, true, mtimeNs) as Directory;
    this.materialize(directory);
    return directory;
  }

  #walk(components: readonly string[], entryPath: string, create: boolean, mtimeNs = 0n): Directory | undefined {
    const key = components.join('/');
    const known = this.#resolved.get(key);
    if (known !== undefined) return known;
    let directory = this.root;
    let links = 0;
    const todo = [...components].reverse();
    while (todo.length > 0) {
      const name = todo.pop() as string;
      if (name === '' || name === '.') continue;
      if (name === '..') {
        directory = directory.parent ?? this.root;
        continue;
      }
      const child = directory.children.get(name);
      if (child !== undefined) {
        directory = child;
        continue;
      }
      const found = this.find(directory, name);
      if (found === undefined) {
        if (!create) {
          this.deferred?.miss(`${directory.path}/${name}`);
          return undefined;
        }
        directory = this.makeDirectory(directory, name);
        this.directoryTimes.set(directory.path, mtimeNs);
        this.deferred?.add({ kind: 'implied', directory });
      } else if (found.stat.isDirectory()) {
        directory = this.#enter(directory, name, found);
      } else if (found.stat.isSymbolicLink()) {
        if (++links > MAX_LINKS) throw badLayer(entryPath, 'is behind a loop of symbolic links');
        const target = readlinkSync(fsPath(found.path), 'latin1');
        if (target.startsWith('/')) directory = this.root;
        todo.push(...target.split('/').reverse());
      } else {
        if (!create) return undefined;
        throw badLayer(entryPath, 'has a parent that is not a directory');
      }
    }
    this.#resolved.set(key, directory);
    return directory;
  }

  #enter(parent: Directory, name: string, found: FoundNode): Directory {
    const path = `${parent.path}/${name}`;
    const directory = this.#known(parent, name, { inTarget: found.inTarget, isNew: false });
    if (found.inTarget && !this.directoryTimes.has(path)) this.directoryTimes.set(path, found.stat.mtimeNs);
    return directory;
  }

  /** Marks a directory, and those that lead there, as brought by this layer. */
  markOwn(directory: Directory): void {
    for (let at: Directory | undefined = directory; at !== undefined && !this.ownPaths.has(at.path); at = at.parent) {
      this.ownPaths.add(at.path);
    }
  }

  /** Gives a directory of a lower layer its place in the target, with the lower one's metadata. */
  materialize(directory: Directory): void {
    if (directory.inTarget) return;
    this.materialize(directory.parent as Directory);
    const lower = this.lowersOf(directory)[0] as string;
    mkdirSync(fsPath(directory.path), 0o700);
    directory.inTarget = true;
    copyMetadata(lower, directory.path, this.#ownership);
    this.directoryTimes.set(directory.path, (lstat(lower) as BigIntStats).mtimeNs);
  }

  /** The directory at `name`, made (with mode 0755) unless it is in the target; something else there is replaced. */
  makeDirectory(parent: Directory, name: string): Directory {
    const known = parent.children.get(name);
    if (known?.inTarget) return known;
    this.materialize(parent);
    const path = `${parent.path}/${name}`;
    const existing = this.findInTarget(parent, name);
    if (existing?.stat.isDirectory()) return this.#enter(parent, name, existing);
    if (existing !== undefined) this.remove(parent, name);
    mkdirSync(fsPath(path), 0o755);
    // Neither the umask of the process nor a setgid parent must show.
    if (this.#ownership === 'image') lchownSync(fsPath(path), 0, 0);
    chmodSync(fsPath(path), 0o755);
    const directory = this.#known(parent, name, { inTarget: true, isNew: true });
    this.deferred?.made(path);
    // What stood here hid the lower directory; the new one must go on hiding it.
    if (existing !== undefined) this.makeOpaque(directory);
    return directory;
  }

  #known(parent: Directory, name: string, facts: Pick<Directory, 'inTarget' | 'isNew'>): Directory {
    const path = `${parent.path}/${name}`;
    const directory: Directory = { parent, path, ...facts, hasEntry: false, lowers: undefined, children: new Map() };
    parent.children.set(name, directory);
    return directory;
  }

  /** Hides everything that lower layers have in `directory` (overlay only). */
  makeOpaque(directory: Directory): void {
    const lowers = this.lowersOf(directory);
    if (lowers.length === 0) return;
    if (directory.parent === undefined) {
      // The kernel does not heed the attribute on the root: each name is hidden by itself.
      for (const name of new Set(lowers.flatMap((lower) => readdirSync(fsPath(lower), 'latin1')))) {
        this.hide(directory, name);
      }
      return;
    }
    this.materialize(directory);
    lsetxattr(syscallPath(directory.path), OPAQUE_XATTR, Buffer.from('y'));
    directory.lowers = [];
    directory.children.clear();
    this.#resolved.clear();
    this.#wasAnyRemoved = true;
    // Where nothing is merged the kernel shows whiteouts as devices.
    this.#removeOthers(directory.path);
  }

  /** Removes whiteouts, and directories that are only there for whiteouts in them, below a directory that became opaque. */
  #removeOthers(directory: string): void {
    for (const item of readdirSync(fsPath(directory), { encoding: 'latin1', withFileTypes: true })) {
      const path = `${directory}/${item.name}`;
      if (item.isCharacterDevice() && isWhiteout(lstat(path) as BigIntStats)) unlinkSync(fsPath(path));
      if (!item.isDirectory()) continue;
      if (this.ownPaths.has(path)) this.#removeOthers(path);
      else removeTree(path);
    }
  }

  /** Hides `name` of lower layers (overlay only); what this layer has there stays. */
  hide(directory: Directory, name: string): void {
    const own = directory.inTarget ? this.findInTarget(directory, name) : undefined;
    if (own?.stat.isDirectory() && !this.ownPaths.has(own.path)) {
      // There only for whiteouts in it.
      this.remove(directory, name);
    } else if (own !== undefined) {
      if (own.stat.isDirectory()) this.makeOpaque(directory.children.get(name) ?? this.#enter(directory, name, own));
      return;
    }
    if (this.#findInLowers(directory, name) === undefined) return;
    this.materialize(directory);
    mknod(syscallPath(`${directory.path}/${name}`), S_IFCHR, 0, 0);
    this.forget(directory, name);
  }

  /** Removes what the target has at `name`, with everything in it. */
  remove(directory: Directory, name: string): void {
    this.deferred?.giveUp();
    removeTree(`${directory.path}/${name}`);
    this.forget(directory, name);
  }

  /**
   * Gives a directory that no entry had described, and that was made before the lower layers were known, what they say.
   * False when they have no directory there: entries below it belong elsewhere.
   */
  settleImplied(directory: Directory): boolean {
    const parent = directory.parent as Directory;
    const found = this.#findInLowers(parent, directory.path.slice(parent.path.length + 1));
    if (found === undefined) return true;
    if (!found.stat.isDirectory()) return false;
    const [lower] = this.lowersOf(directory);
    if (lower !== undefined && !directory.hasEntry) {
      copyMetadata(lower, directory.path, this.#ownership);
      this.directoryTimes.set(directory.path, (lstat(lower) as BigIntStats).mtimeNs);
    }
    return true;
  }

  /** Must be called when a directory or a symbolic link at `name` went away or changed. */
  forget(directory: Directory, name: string): void {
    this.#wasAnyRemoved = true;
    directory.children.delete(name);
    this.#resolved.clear();
  }

  /** Gives the root where the tree was moved to what the lower layers say, unless the layer says it, and all their times. */
  finishMoved(path: string, hasRootEntry: boolean): void {
    const [lower] = this.root.lowers ?? [];
    if (lower !== undefined && !hasRootEntry) {
      copyMetadata(lower, byteString(path), this.#ownership);
      this.directoryTimes.set(this.root.path, (lstat(lower) as BigIntStats).mtimeNs);
    }
    this.setDirectoryTimes(byteString(path));
  }

  /** Sets the times of the directories: after everything else, for each change in one alters its time. */
  setDirectoryTimes(movedTo = this.root.path): void {
    for (const [known, mtimeNs] of this.directoryTimes) {
      const path = movedTo + known.slice(this.root.path.length);
      if (!this.#wasAnyRemoved || lstat(path)?.isDirectory()) setTime(path, mtimeNs);
    }
  }
}

function lstat(path: string): BigIntStats | undefined {
  try {
    return lstatSync(fsPath(path), { bigint: true, throwIfNoEntry: false });
  } catch (error) {
    // A lower layer may have a file where the upper ones have a directory.
    if (errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** The lower directories that merge at `name`, top first: up to a whiteout, a non-directory or an opaque one. */
function mergedAt(lowers: readonly string[], name: string): string[] {
  const result: string[] = [];
  for (const lower of lowers) {
    const path = `${lower}/${name}`;
    const stat = lstat(path);
    if (stat === undefined) continue;
    if (!stat.isDirectory()) break;
    result.push(path);
    if (isOpaque(path)) break;
  }
  return result;
}

function isWhiteout(stat: BigIntStats): boolean {
  return stat.isCharacterDevice() && stat.rdev === 0n;
}

function isOpaque(path: string): boolean {
  return lgetxattr(syscallPath(path), OPAQUE_XATTR)?.toString('latin1') === 'y';
}

/** Removes a file or a whole directory without following a link. */
export function removeTree(path: string): void {
  if (!lstat(path)?.isDirectory()) {
    unlinkSync(fsPath(path));
    return;
  }
  for (const name of readdirSync(fsPath(path), 'latin1')) removeTree(`${path}/${name}`);
  rmdirSync(fsPath(path));
}
