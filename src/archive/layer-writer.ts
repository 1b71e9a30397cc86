import { closeSync, constants, ftruncateSync, linkSync, openSync, symlinkSync, writeSync } from 'node:fs';
import { EngineError, engineError } from '../errors/index.js';
import { errnoOf, mkfifo, mknod } from '../os/syscalls/index.js';
import { badLayer } from './archive-error.js';
import { byteString, fsPath, syscallPath } from './byte-string.js';
import { copyUp } from './copy-up.js';
import type { DeferredSteps } from './deferred-steps.js';
import { deleteAllOthers, deleteOthers } from './delete-others.js';
import { checkXattrs, dropOtherXattrs, type Ownership, setFileMetadata, setNodeMetadata } from './layer-metadata.js';
import { splitLayerPath, whiteoutOf } from './layer-path.js';
import { type Directory, type LayerTarget, LayerTree } from './layer-tree.js';
import type { TarEntry } from './tar-entry.js';
import type { TarSink } from './tar-parser.js';

/** What a layer may take. */
export interface LayerLimits {
  /** File data in bytes. */
  readonly maxBytes: number;
  readonly maxEntries: number;
}

const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const DEVICE_TYPES = { char: 0o020000, block: 0o060000 } as const;

/** Puts the entries of one layer into a tree as they come from the parser. Synchronous: an unpacked file costs a few system calls. */
export class LayerWriter implements TarSink {
  bytes = 0;
  entries = 0;
  readonly #tree: LayerTree;
  readonly #limits: LayerLimits;
  readonly #ownership: Ownership;
  #file: { readonly fd: number; readonly path: string; readonly entry: TarEntry } | undefined;
  #entry: TarEntry | undefined;
  #rootEntry: TarEntry | undefined;

  /** `deferred`: the lower layers are not there yet; what needs them is put there for `settle`. */
  constructor(target: LayerTarget, limits: LayerLimits, ownership: Ownership, deferred?: DeferredSteps) {
    this.#tree = new LayerTree(target, ownership, deferred);
    this.#limits = limits;
    this.#ownership = ownership;
  }

  onEntry(entry: TarEntry): void {
    this.#entry = entry;
    this.#guard(() => this.#place(entry));
  }

  onData(chunk: Buffer, position: number): void {
    const fd = this.#file?.fd;
    this.bytes += chunk.length;
    this.#checkBytes();
    if (fd === undefined) return;
    this.#guard(() => {
      for (let done = 0; done < chunk.length; ) {
        done += writeSync(fd, chunk, done, chunk.length - done, position + done);
      }
    });
  }

  onEntryEnd(): void {
    const file = this.#file;
    if (file === undefined) return;
    this.#guard(() => {
      if (file.entry.sparse !== undefined) ftruncateSync(file.fd, file.entry.size);
      setFileMetadata(file.fd, file.path, file.entry, this.#ownership);
    });
    this.close();
  }

  /** Does what has to come last. */
  finish(): void {
    this.#entry = undefined;
    this.#guard(() => this.#tree.setDirectoryTimes());
  }

  /** Does what waited for the lower layers, in the archive's order. False when the layer must be unpacked on them again. */
  settle(lowerPaths: readonly string[]): boolean {
    this.#entry = undefined;
    const tree = this.#tree;
    const steps = tree.deferred?.steps ?? [];
    tree.deferred = undefined;
    tree.root.lowers = lowerPaths.map(byteString);
    for (const step of steps) {
      if (step.kind === 'implied') {
        if (!this.#guarded(() => tree.settleImplied(step.directory))) return false;
        continue;
      }
      this.#guarded(() => {
        const directory = step.directory ?? tree.findDirectory(step.components, step.entryPath);
        if (directory !== undefined) this.#whiteout(directory, step.name);
      });
    }
    return true;
  }

  /** The tree was moved to `path`, whose lower layers are those of `settle`: does what has to come last there. */
  finishAt(path: string): void {
    this.#guard(() => {
      const entry = this.#rootEntry;
      if (entry !== undefined) {
        setNodeMetadata(byteString(path), entry, this.#ownership);
        dropOtherXattrs(byteString(path), entry);
      }
      this.#tree.finishMoved(path, entry !== undefined);
    });
  }

  /** Closes the file that is being written, if any. */
  close(): void {
    const file = this.#file;
    this.#file = undefined;
    if (file !== undefined) closeSync(file.fd);
  }

  #place(entry: TarEntry): void {
    if (++this.entries > this.#limits.maxEntries) {
      throw engineError('LAYER_TOO_LARGE', `the layer has more entries than maxEntries ${this.#limits.maxEntries}`, {
        details: { maxEntries: this.#limits.maxEntries },
      });
    }
    if (entry.type === 'file' && entry.sparse === undefined) this.#checkBytes(entry.size);
    const components = splitLayerPath(entry.path, entry.path);
    const whiteout = whiteoutOf(components, entry.path);
    if (whiteout.kind === 'ignored') return;
    if (whiteout.kind !== 'none') {
      if (entry.type !== 'file' && entry.type !== 'hardlink')
        throw badLayer(entry.path, `is a whiteout but a ${entry.type}`);
      components.pop();
      const directory = this.#tree.findDirectory(components, entry.path);
      const name = whiteout.kind === 'hide' ? whiteout.name : undefined;
      const { deferred } = this.#tree;
      if (deferred !== undefined) {
        deferred.add({ kind: 'whiteout', directory, components, entryPath: entry.path, name });
      } else if (directory !== undefined) {
        // Otherwise nothing is there that could be hidden.
        this.#whiteout(directory, name);
      }
      return;
    }
    if (entry.xattrs.size > 0) checkXattrs(entry);
    const name = components.pop();
    if (name === undefined) {
      this.#placeRoot(entry);
      return;
    }
    const parent = this.#tree.ensureDirectory(components, entry.path, entry.mtimeNs);
    this.#tree.markOwn(parent);
    if (!this.#tree.isOverlay) this.#tree.ownPaths.add(`${parent.path}/${name}`);
    this.#create(entry, parent, name);
  }

  #placeRoot(entry: TarEntry): void {
    if (entry.type !== 'directory') throw badLayer(entry.path, `replaces the root directory by a ${entry.type}`);
    this.#rootEntry = entry;
    this.#setDirectory(this.#tree.root, entry);
  }

  /** Hides `name` of lower layers, or all they have in the directory. */
  #whiteout(directory: Directory, name: string | undefined): void {
    const tree = this.#tree;
    if (tree.isOverlay) {
      if (name === undefined) tree.makeOpaque(directory);
      else tree.hide(directory, name);
    } else if (name === undefined) deleteAllOthers(tree, directory);
    else deleteOthers(tree, directory, name);
  }

  #create(entry: TarEntry, parent: Directory, name: string): void {
    const path = `${parent.path}/${name}`;
    this.#tree.deferred?.made(path);
    switch (entry.type) {
      case 'directory':
        this.#setDirectory(this.#tree.makeDirectory(parent, name), entry);
        return;
      case 'file': {
        const fd = this.#replacing(parent, name, () => openSync(fsPath(path), NEW_FILE, 0o600));
        this.#file = { fd, path, entry };
        return;
      }
      case 'hardlink':
        this.#link(entry, parent, name);
        return;
      case 'symlink':
        this.#replacing(parent, name, () => symlinkSync(fsPath(entry.linkPath), fsPath(path)));
        break;
      case 'fifo':
        this.#replacing(parent, name, () => mkfifo(syscallPath(path), 0o600));
        break;
      default:
        if (entry.type === 'char' && entry.devMajor === 0 && entry.devMinor === 0) {
          throw badLayer(entry.path, 'is the character device 0:0, which overlayfs takes for a whiteout');
        }
        this.#replacing(parent, name, () =>
          mknod(
            syscallPath(path),
            DEVICE_TYPES[entry.type as 'char' | 'block'] | 0o600,
            entry.devMajor,
            entry.devMinor,
          ),
        );
    }
    setNodeMetadata(path, entry, this.#ownership);
  }

  #setDirectory(directory: Directory, entry: TarEntry): void {
    this.#tree.markOwn(directory);
    setNodeMetadata(directory.path, entry, this.#ownership);
    if (!directory.isNew) dropOtherXattrs(directory.path, entry);
    directory.isNew = false;
    directory.hasEntry = true;
    this.#tree.directoryTimes.set(directory.path, entry.mtimeNs);
  }

  #link(entry: TarEntry, parent: Directory, name: string): void {
    const path = `${parent.path}/${name}`;
    const components = splitLayerPath(entry.linkPath, entry.path);
    const targetName = components.pop();
    const directory = this.#tree.findDirectory(components, entry.path);
    const target =
      targetName === undefined || directory === undefined ? undefined : this.#tree.find(directory, targetName);
    if (target === undefined || directory === undefined) {
      // It may be a file of a lower layer.
      if (this.#tree.deferred !== undefined) {
        this.#tree.deferred.giveUp();
        return;
      }
      throw badLayer(entry.path, 'is a hard link to a file that does not exist in the image');
    }
    if (target.stat.isDirectory()) throw badLayer(entry.path, 'is a hard link to a directory');
    const targetPath = `${directory.path}/${targetName}`;
    if (targetPath === path) return;
    if (!target.inTarget) {
      this.#tree.materialize(directory);
      copyUp(target.path, target.stat, targetPath, this.#ownership);
    }
    this.#replacing(parent, name, () => linkSync(fsPath(targetPath), fsPath(path)));
  }

  /** Runs `make`; what stands in its way is removed first. Trying comes before looking, for the place is nearly always free. */
  #replacing<T>(parent: Directory, name: string, make: () => T): T {
    try {
      return make();
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error;
      this.#tree.remove(parent, name);
      return make();
    }
  }

  #checkBytes(more = 0): void {
    const { maxBytes } = this.#limits;
    if (this.bytes + more <= maxBytes) return;
    throw engineError('LAYER_TOO_LARGE', `the layer has more file data than maxBytes ${maxBytes}`, {
      details: { maxBytes },
    });
  }

  /** Gives errors of the system the entry they belong to. */
  #guard(run: () => void): void {
    this.#guarded(run);
  }

  #guarded<T>(run: () => T): T {
    try {
      return run();
    } catch (error) {
      throw this.#explain(error);
    }
  }

  #explain(error: unknown): unknown {
    if (EngineError.is(error) && error.reason !== 'SYSCALL_FAILED') return error;
    const errno = errnoOf(error);
    const path = this.#entry?.path ?? '.';
    switch (errno) {
      case 'ENOSPC':
      case 'EDQUOT':
        return engineError('DISK_FULL', 'no space is left for the layer', { cause: error });
      case 'EPERM':
      case 'EACCES':
        return engineError('NOT_PERMITTED', 'the layer needs rights that this process does not have', { cause: error });
      case 'ENAMETOOLONG':
      case 'EINVAL':
      case 'ENOENT':
      case 'ENOTDIR':
      case 'EFBIG':
      case 'EMLINK':
      case 'E2BIG':
      case 'ERANGE':
      case 'EEXIST':
      case 'ERR_INVALID_ARG_VALUE':
      case 'ERR_OUT_OF_RANGE':
        return badLayer(path, `cannot be unpacked (${errno})`, error);
      default:
        return engineError('SYSCALL_FAILED', `unpacking a layer failed with ${errno ?? 'no errno'}`, {
          details: { errno: errno ?? 'unknown' },
          cause: error,
        });
    }
  }
}
