import { accessSync, closeSync, constants, openSync, readSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { engineError, quote } from '../../errors/index.js';
import { ioError } from '../io-error.js';
import { readElf } from './elf.js';
import type { FileSet } from './file-set.js';
import { LibrarySearch, type Loaded } from './library-search.js';

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const MAX_SCRIPT_DEPTH = 4;

/** Adds executables and all they need to start: loader, libraries, script interpreters. */
export class Collector {
  readonly #files: FileSet;
  readonly #libraries: LibrarySearch;
  readonly #done = new Set<string>();

  constructor(files: FileSet, libraries = new LibrarySearch()) {
    this.#files = files;
    this.#libraries = libraries;
  }

  /** Adds an executable by absolute path, or by name from PATH. Returns the path it was found at. */
  addExecutable(nameOrPath: string, depth = 0): string {
    const path = findExecutable(nameOrPath);
    const real = this.#files.addHostPath(path);
    const shebang = readShebang(real);
    if (shebang !== undefined) {
      this.#addInterpreter(path, shebang, depth);
      return path;
    }
    const elf = readElf(real);
    if (elf === undefined) {
      throw engineError('BAD_SOURCE', `executable ${quote(path)} is neither an ELF file nor a script with #!`, {
        details: { field: 'executables', value: quote(path) },
      });
    }
    if (elf.interpreter !== undefined) this.#addLoader(path, elf.interpreter);
    this.#addLibraries({ path: real, elf, parent: undefined }, { executable: path, interpreter: elf.interpreter });
    return path;
  }

  #addLoader(executable: string, interpreter: string): void {
    try {
      this.#files.addHostPath(interpreter);
    } catch (cause) {
      throw missing(executable, interpreter, executable, cause);
    }
  }

  #addInterpreter(script: string, shebang: readonly string[], depth: number): void {
    const [interpreter = '', ...args] = shebang;
    if (depth >= MAX_SCRIPT_DEPTH) {
      throw engineError('BAD_SOURCE', `script ${quote(script)} has interpreters nested too deep`, {
        details: { field: 'executables', value: quote(script) },
      });
    }
    this.addExecutable(interpreter, depth + 1);
    if (!/\/env$/.test(interpreter)) return;
    // `#!/usr/bin/env -S NAME=x node`: the first word that is neither option nor variable is what runs.
    const program = args.find((word) => !word.startsWith('-') && !word.includes('='));
    if (program !== undefined) this.addExecutable(program, depth + 1);
  }

  #addLibraries(file: Loaded, start: { executable: string; interpreter: string | undefined }): void {
    if (this.#done.has(`${start.interpreter}\0${file.path}`)) return;
    this.#done.add(`${start.interpreter}\0${file.path}`);
    for (const name of file.elf.needed) {
      const found = this.#libraries.find(name, file, start.interpreter);
      if (found === undefined) throw missing(start.executable, name, file.path);
      const real = found.by === 'provided' ? this.#libraries.sourceOf(name) : this.#files.addHostPath(found.path);
      // The container has no ld.so.cache; the C library's directory is one where the loader looks.
      if ((found.by === 'cache' || found.by === 'provided') && start.interpreter !== undefined) {
        const beside = join(this.#libraryDir(file, start.interpreter), name);
        if (beside !== found.path) this.#files.putMissing(beside, { kind: 'symlink', target: found.path });
      }
      const elf = readElf(real);
      if (elf !== undefined) this.#addLibraries({ path: real, elf, parent: file }, start);
    }
  }

  /** A directory where the loader looks without a cache: that of the C library. */
  #libraryDir(file: Loaded, interpreter: string): string {
    const libc = this.#libraries.find('libc.so.6', file, interpreter);
    return libc?.by === 'default' ? dirname(libc.path) : '/lib';
  }
}

function missing(executable: string, library: string, neededBy: string, cause?: unknown): Error {
  return engineError(
    'LIBRARY_NOT_FOUND',
    `executable ${quote(executable)} needs ${quote(library)} (for ${quote(neededBy)}), which is not on this host`,
    { details: { executable, library, neededBy }, cause },
  );
}

function findExecutable(nameOrPath: string): string {
  if (typeof nameOrPath !== 'string' || nameOrPath === '' || nameOrPath.includes('\0')) {
    throw engineError('BAD_OPTION', `executables entry ${quote(nameOrPath)} is no path`, {
      details: { field: 'executables', value: quote(nameOrPath) },
    });
  }
  if (isAbsolute(nameOrPath)) {
    try {
      if (statSync(nameOrPath).isFile()) return nameOrPath;
    } catch (error) {
      throw ioError(error, 'executable', nameOrPath);
    }
  } else if (!nameOrPath.includes('/')) {
    const dirs = (process.env['PATH'] ?? DEFAULT_PATH).split(':').filter(isAbsolute);
    const found = dirs.map((dir) => join(dir, nameOrPath)).find(isExecutable);
    if (found !== undefined) return found;
  }
  throw engineError(
    'SOURCE_NOT_FOUND',
    `executable ${quote(nameOrPath)} is not an absolute path of a file, nor a name that PATH has`,
    { details: { field: 'executables', value: quote(nameOrPath) } },
  );
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** The words of a script's first line after `#!`; `undefined` for other files. */
function readShebang(path: string): string[] | undefined {
  const fd = openSync(path, 'r');
  try {
    const buffer = Buffer.alloc(256);
    const text = buffer.toString('latin1', 0, readSync(fd, buffer, 0, buffer.length, 0));
    if (!text.startsWith('#!')) return undefined;
    const words = (text.slice(2).split('\n', 1)[0] ?? '').trim().split(/[ \t]+/);
    return words[0]?.startsWith('/') ? words : undefined;
  } finally {
    closeSync(fd);
  }
}
