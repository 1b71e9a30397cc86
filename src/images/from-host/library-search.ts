import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { type ElfFile, readElf } from './elf.js';
import { readLdCache } from './ld-cache.js';

/** A library found for an executable. */
export interface FoundLibrary {
  readonly path: string;
  /**
   * How the loader in the container finds it: by a path in the file that needs it, in a default directory, or not at
   * all without our help, because only the host's cache or the caller knows of it.
   */
  readonly by: 'path' | 'default' | 'cache' | 'provided';
}

/** Libraries that the caller puts into the image, by name: the host file and its place in the image. */
export type ProvidedLibraries = ReadonlyMap<string, { readonly source: string; readonly target: string }>;

/** A loaded file and the one that needed it: RPATHs are inherited along this chain. */
export interface Loaded {
  readonly path: string;
  readonly elf: ElfFile;
  readonly parent: Loaded | undefined;
}

// Names that musl's loader serves itself, whatever version follows.
const MUSL_OWN = /^lib(?:c|pthread|rt|m|dl|util|xnet)\.(?:so|musl-)/;
const MACHINE_DIRS = new Map([
  [62, 'x86_64-linux-gnu'],
  [3, 'i386-linux-gnu'],
  [183, 'aarch64-linux-gnu'],
  [40, 'arm-linux-gnueabihf'],
  [21, 'powerpc64le-linux-gnu'],
  [22, 's390x-linux-gnu'],
  [243, 'riscv64-linux-gnu'],
]);

/** Finds shared libraries as the loaders of glibc and musl do, without running anything. */
export class LibrarySearch {
  readonly #cache: ReadonlyMap<string, readonly string[]>;
  readonly #configured: readonly string[];
  readonly #provided: ProvidedLibraries;

  constructor(
    options: { readonly ldCache?: string; readonly ldConf?: string; readonly provided?: ProvidedLibraries } = {},
  ) {
    this.#provided = options.provided ?? new Map();
    this.#cache = readLdCache(options.ldCache);
    this.#configured = readLdConf(options.ldConf ?? '/etc/ld.so.conf');
  }

  /** The host file of a library that the caller gave. */
  sourceOf(name: string): string {
    return this.#provided.get(name)?.source ?? '';
  }

  /** `undefined`: not found. A library that the loader provides itself is found as the loader. */
  find(name: string, by: Loaded, interpreter: string | undefined): FoundLibrary | undefined {
    if (name.includes('/')) {
      const path = expandOrigin(name, by);
      return fits(path, by.elf) ? { path: resolve(path), by: 'path' } : undefined;
    }
    const isMusl = interpreter !== undefined && /\/ld-musl-/.test(interpreter);
    if (isMusl && MUSL_OWN.test(name)) return { path: interpreter, by: 'default' };

    const inDirs = (dirs: readonly string[]) => dirs.map((dir) => join(dir, name)).find((path) => fits(path, by.elf));
    const named = inDirs(searchPath(by));
    if (named !== undefined) return { path: named, by: 'path' };
    if (isMusl) {
      const path = inDirs(muslDirs(interpreter));
      return path === undefined ? undefined : { path, by: 'default' };
    }
    const byDefault = inDirs(defaultDirs(by.elf));
    if (byDefault !== undefined) return { path: byDefault, by: 'default' };
    const cached = this.#cache.get(name)?.find((path) => fits(path, by.elf)) ?? inDirs(this.#configured);
    if (cached !== undefined) return { path: cached, by: 'cache' };
    const given = this.#provided.get(name);
    return given !== undefined && fits(given.source, by.elf) ? { path: given.target, by: 'provided' } : undefined;
  }
}

/** RPATHs of the file and those that needed it, unless the file has a RUNPATH, which counts alone. */
function searchPath(by: Loaded): string[] {
  if (by.elf.runpath.length > 0) return by.elf.runpath.map((dir) => expandOrigin(dir, by));
  const dirs: string[] = [];
  for (let at: Loaded | undefined = by; at !== undefined; at = at.parent) {
    if (at.elf.runpath.length > 0) continue;
    for (const dir of at.elf.rpath) dirs.push(expandOrigin(dir, at));
  }
  return dirs;
}

function expandOrigin(path: string, by: Loaded): string {
  const lib = by.elf.bits === 64 ? 'lib64' : 'lib';
  return path.replace(/\$\{ORIGIN\}|\$ORIGIN\b/g, () => dirname(by.path)).replace(/\$\{LIB\}|\$LIB\b/g, () => lib);
}

function defaultDirs(elf: ElfFile): string[] {
  const multiarch = MACHINE_DIRS.get(elf.machine);
  const names = multiarch === undefined ? [] : [multiarch];
  const wide = elf.bits === 64 ? ['/lib64', '/usr/lib64'] : ['/lib32', '/usr/lib32'];
  return [...names.flatMap((name) => [`/lib/${name}`, `/usr/lib/${name}`]), ...wide, '/lib', '/usr/lib'];
}

function muslDirs(interpreter: string): string[] {
  const arch = /\/ld-musl-(.+)\.so\.1$/.exec(interpreter)?.[1];
  try {
    const text = readFileSync(`/etc/ld-musl-${arch}.path`, 'utf8');
    return text.split(/[:\n]/).filter((dir) => dir.startsWith('/'));
  } catch {
    return ['/lib', '/usr/local/lib', '/usr/lib'];
  }
}

/** True for a library that a loader of this class and machine would take. */
function fits(path: string, wanted: ElfFile): boolean {
  try {
    if (!statSync(path).isFile()) return false;
    const elf = readElf(path);
    return elf !== undefined && elf.bits === wanted.bits && elf.machine === wanted.machine;
  } catch {
    return false;
  }
}

/** Directories of ld.so.conf with its includes: what the cache was (or will be) built from. */
function readLdConf(path: string, depth = 0): string[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return [];
  }
  return text.split('\n').flatMap((raw) => {
    const line = raw.replace(/#.*/, '').trim();
    if (line.startsWith('/')) return [line];
    const include = /^include\s+(.+)$/.exec(line)?.[1];
    if (include === undefined || depth > 4) return [];
    return matchFiles(resolve(dirname(path), include)).flatMap((file) => readLdConf(file, depth + 1));
  });
}

/** The files of one directory that fit a pattern with stars in its last part. */
function matchFiles(pattern: string): string[] {
  const name = new RegExp(
    `^${pattern
      .slice(pattern.lastIndexOf('/') + 1)
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.')}$`,
  );
  try {
    return readdirSync(dirname(pattern))
      .filter((file) => name.test(file))
      .sort()
      .map((file) => join(dirname(pattern), file));
  } catch {
    return [];
  }
}
