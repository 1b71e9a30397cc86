import { lstatSync, readlinkSync, type Stats } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { engineError, quote } from '../../errors/index.js';
import { ioError } from '../io-error.js';

/** One entry of the image tree to make. */
export type FileSetEntry =
  | { readonly kind: 'directory'; readonly mode: number }
  | { readonly kind: 'symlink'; readonly target: string }
  | { readonly kind: 'file'; readonly mode: number; readonly source: string; readonly size: number }
  | { readonly kind: 'text'; readonly mode: number; readonly text: string };

const MAX_LINKS = 40;

/**
 * The files of an image in the making, by absolute path. Host paths keep their place and their symbolic links: with
 * `/bin -> usr/bin` on the host, adding `/bin/sh` gives the link and the file below `/usr/bin`.
 */
export class FileSet {
  readonly #entries = new Map<string, FileSetEntry>();

  /** Entries sorted by path, so that directories come before what is in them; the root is left out. */
  entries(): [path: string, entry: FileSetEntry][] {
    return [...this.#entries].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  get(path: string): FileSetEntry | undefined {
    return this.#entries.get(path);
  }

  /** Adds a host file or directory with every link and directory on the way; returns its real path. */
  addHostPath(path: string): string {
    return this.#walk(path, 0);
  }

  #walk(path: string, links: number): string {
    if (links > MAX_LINKS) {
      throw engineError('BAD_SOURCE', `file ${quote(path)} has too many symbolic links on its way`, {
        details: { value: quote(path) },
      });
    }
    let real = '';
    const parts = normalize(path)
      .split('/')
      .filter((part) => part !== '');
    for (const [index, part] of parts.entries()) {
      const at = `${real}/${part}`;
      const stat = lstat(at);
      if (stat.isSymbolicLink()) {
        const target = readlinkSync(at);
        this.#entries.set(at, { kind: 'symlink', target });
        const rest = parts.slice(index + 1).join('/');
        const next = target.startsWith('/') ? join(target, rest) : join(real === '' ? '/' : real, target, rest);
        return this.#walk(next, links + 1);
      }
      this.#addReal(at, stat);
      real = at;
    }
    return real === '' ? '/' : real;
  }

  #addReal(path: string, stat: Stats): void {
    if (stat.isDirectory()) {
      if (!this.#entries.has(path)) this.#entries.set(path, { kind: 'directory', mode: stat.mode & 0o7777 });
    } else if (stat.isFile()) {
      this.#entries.set(path, { kind: 'file', mode: stat.mode & 0o7777, source: path, size: stat.size });
    } else {
      throw engineError('BAD_SOURCE', `file ${quote(path)} is neither a file nor a directory`, {
        details: { value: quote(path) },
      });
    }
  }

  /** Puts an entry at a path of the image; what leads there follows the links of the set and of the host. */
  put(path: string, entry: FileSetEntry): void {
    this.#entries.set(this.placeFor(path), entry);
  }

  /** Puts an entry unless the set has something there. */
  putMissing(path: string, entry: FileSetEntry): void {
    const place = this.placeFor(path);
    if (!this.#entries.has(place)) this.#entries.set(place, entry);
  }

  /** Where `path` is in the image once the links on its way are followed; makes missing directories (0755). */
  placeFor(path: string): string {
    const parent = dirname(path);
    const name = path.slice(parent === '/' ? 1 : parent.length + 1);
    const realParent = parent === '/' ? '' : this.#directory(parent, 0);
    return `${realParent}/${name}`;
  }

  #directory(path: string, links: number): string {
    const place = this.placeFor(path);
    const entry = this.#entries.get(place) ?? hostLink(place);
    if (entry?.kind === 'symlink') {
      if (links > MAX_LINKS) {
        throw engineError('BAD_SOURCE', `path ${quote(path)} has too many symbolic links on its way`, {
          details: { value: quote(path) },
        });
      }
      this.#entries.set(place, entry);
      const target = entry.target.startsWith('/') ? entry.target : join(dirname(place), entry.target);
      return this.#directory(normalize(target).replace(/\/$/, ''), links + 1);
    }
    if (entry === undefined) this.#entries.set(place, { kind: 'directory', mode: 0o755 });
    else if (entry.kind !== 'directory') {
      throw engineError('BAD_SOURCE', `path ${quote(path)} is a file where a directory is needed`, {
        details: { value: quote(path) },
      });
    }
    return place;
  }
}

/** The host's own link at this place: `/bin` must stay a link to `usr/bin` even where only a link of ours goes below it. */
function hostLink(path: string): FileSetEntry | undefined {
  try {
    return lstatSync(path).isSymbolicLink() ? { kind: 'symlink', target: readlinkSync(path) } : undefined;
  } catch {
    return undefined;
  }
}

function lstat(path: string): Stats {
  try {
    return lstatSync(path);
  } catch (error) {
    throw ioError(error, 'file', path);
  }
}
