import { createReadStream, readdirSync, readlinkSync, statSync } from 'node:fs';
import { basename, isAbsolute, join, normalize } from 'node:path';
import { byteString, packTar, type TarItem, tarEntry } from '../../archive/index.js';
import { engineError, quote } from '../../errors/index.js';
import type { CallOptions } from '../../util/signals.js';
import type { ImageDeps } from '../image-deps.js';
import { buildTime } from '../import/build-time.js';
import { singleLayerImage, storeBlob } from '../import/import-rootfs.js';
import { ImportSession } from '../import/import-session.js';
import { storeImage } from '../import/store-image.js';
import { ioError } from '../io-error.js';
import { checkMadeConfig, DEFAULT_PATH_ENV, type MadeImageConfig } from '../made-config.js';
import { MEDIA_TYPES } from '../media-types.js';
import { assertNewName } from '../new-name.js';
import type { Digest } from '../types.js';
import { addBaseFiles } from './base-files.js';
import { Collector } from './collect.js';
import { FileSet, type FileSetEntry } from './file-set.js';
import { LibrarySearch } from './library-search.js';

/** A file of the image that is no executable with its libraries. @public */
export type HostFile =
  /** Absolute host path of a file or directory: it keeps its place. */
  | string
  /** A host file or directory at another place. */
  | { readonly source: string; readonly target: string; readonly mode?: number }
  /** A file with this content. @defaultValue mode 0644 */
  | { readonly content: string; readonly target: string; readonly mode?: number };

/** Options of `images.fromHost`: what is in the image, and what runs in it. @public */
export interface FromHostOptions extends CallOptions, MadeImageConfig {
  /** Absolute paths of executables or scripts, or names that PATH has. */
  readonly executables: readonly string[];
  /** Further files and directories, not followed to libraries. */
  readonly files?: readonly HostFile[];
  /** Symbolic links to add: `{ '/bin/sh': '/bin/busybox' }`. */
  readonly links?: Readonly<Record<string, string>>;
  /** Name of the image: `demo` or `registry.example/team/demo:1.2`; no tag means `latest`. @defaultValue nameless */
  readonly reference?: string;
  /** Move a name that another image has; else NAME_TAKEN. @defaultValue true */
  readonly replaceTags?: boolean;
}

/**
 * Makes an image of executables of this host, each with its loader, shared libraries and (for scripts) interpreter, in
 * one layer. The same files give the same digests: entries are sorted, owned by root and have the time 0 (or
 * SOURCE_DATE_EPOCH).
 */
export async function imageFromHost(deps: ImageDeps, options: FromHostOptions): Promise<Digest> {
  const reference = options.reference === undefined ? undefined : assertNewName('reference', options.reference);
  const run = checkMadeConfig(options);
  const files = collectFiles(options);
  const created = buildTime(new Date(0));
  const call: CallOptions = options.signal === undefined ? {} : { signal: options.signal };
  return ImportSession.run(
    deps,
    async (session) => {
      const mtimeNs = BigInt(Date.parse(created)) * 1_000_000n;
      const blob = await storeBlob(deps, session, packTar(tarItems(files, mtimeNs)), call);
      const image = singleLayerImage({ ...blob, mediaType: MEDIA_TYPES.ociLayer }, blob.digest, {
        run: { ...run, env: withPath(run.env ?? []) },
        references: reference === undefined ? [] : [reference],
        created,
        createdBy: 'copy of host executables',
        open: () => deps.content.open(blob.digest),
      });
      return storeImage(deps, session, image, { ...call, replaceTags: options.replaceTags ?? true });
    },
    call,
  );
}

function withPath(env: readonly string[]): readonly string[] {
  return env.some((entry) => entry.startsWith('PATH=')) ? env : [DEFAULT_PATH_ENV, ...env];
}

/** Every entry of the image's layer. Reads headers and metadata, no file contents. */
export function collectFiles(options: Pick<FromHostOptions, 'executables' | 'files' | 'links'>): FileSet {
  const { executables, files: extra = [], links = {} } = options;
  if (!Array.isArray(executables)) {
    throw engineError('BAD_OPTION', `executables ${quote(executables)} is not a list of paths`, {
      details: { field: 'executables', value: quote(executables) },
    });
  }
  const files = new FileSet();
  const placed = extra.map((file) => placeFile(files, file));
  const provided = new Map(placed.map((path) => [basename(path), path]));
  const collector = new Collector(files, new LibrarySearch({ provided: providedSources(files, provided) }));
  for (const executable of executables) collector.addExecutable(executable);
  for (const [path, target] of Object.entries(links)) {
    files.put(imagePath('links', path), { kind: 'symlink', target: checkTarget(target) });
  }
  addBaseFiles(files);
  return files;
}

/** Library files that the caller gave, by name: image path and host file. */
function providedSources(files: FileSet, provided: ReadonlyMap<string, string>) {
  const sources = new Map<string, { source: string; target: string }>();
  for (const [name, target] of provided) {
    const entry = files.get(target);
    if (entry?.kind === 'file') sources.set(name, { source: entry.source, target });
  }
  return sources;
}

function placeFile(files: FileSet, file: HostFile): string {
  if (typeof file === 'string') {
    imagePath('files', file);
    const real = files.addHostPath(file);
    addTree(files, real, real, undefined);
    return real;
  }
  const target = imagePath('files', file.target);
  if ('content' in file) {
    if (typeof file.content !== 'string') throw badOption('files', file.content, 'is no text');
    files.put(target, { kind: 'text', mode: file.mode ?? 0o644, text: file.content });
  } else {
    addTree(files, imagePath('files', file.source), target, file.mode);
  }
  return target;
}

/** Adds a file, or a directory with all below it; links in it stay links. */
function addTree(files: FileSet, source: string, target: string, mode: number | undefined): void {
  try {
    const stat = statSync(source);
    if (stat.isFile()) {
      files.put(target, { kind: 'file', mode: mode ?? stat.mode & 0o7777, source, size: stat.size });
      return;
    }
    if (!stat.isDirectory()) throw badOption('files', source, 'is neither a file nor a directory');
    if (target !== '/') files.putMissing(target, { kind: 'directory', mode: stat.mode & 0o7777 });
    for (const entry of readdirSync(source, { withFileTypes: true })) {
      const from = join(source, entry.name);
      const to = join(target, entry.name);
      if (entry.isSymbolicLink()) files.put(to, { kind: 'symlink', target: readlinkSync(from) });
      else if (entry.isDirectory() || entry.isFile()) addTree(files, from, to, undefined);
    }
  } catch (error) {
    throw ioError(error, 'file', source);
  }
}

function imagePath(field: string, path: unknown): string {
  if (typeof path !== 'string' || !isAbsolute(path) || path.includes('\0') || normalize(path) === '/') {
    throw badOption(field, path, 'is not an absolute path');
  }
  return normalize(path).replace(/\/$/, '');
}

function checkTarget(target: unknown): string {
  if (typeof target === 'string' && target !== '' && !target.includes('\0')) return target;
  throw badOption('links', target, 'is not a path');
}

function badOption(field: string, value: unknown, problem: string): Error {
  return engineError('BAD_OPTION', `${field} entry ${quote(value)} ${problem}`, {
    details: { field, value: quote(value) },
  });
}

function* tarItems(files: FileSet, mtimeNs: bigint): Generator<TarItem> {
  for (const [path, entry] of files.entries()) yield tarItem(byteString(path.slice(1)), entry, mtimeNs);
}

function tarItem(path: string, entry: FileSetEntry, mtimeNs: bigint): TarItem {
  switch (entry.kind) {
    case 'directory':
      return { entry: tarEntry({ path, type: 'directory', mode: entry.mode, mtimeNs }) };
    case 'symlink':
      return { entry: tarEntry({ path, type: 'symlink', linkPath: byteString(entry.target), mtimeNs }) };
    case 'text': {
      const data = Buffer.from(entry.text);
      return { entry: tarEntry({ path, type: 'file', mode: entry.mode, size: data.length, mtimeNs }), data };
    }
    case 'file':
      return {
        entry: tarEntry({ path, type: 'file', mode: entry.mode, size: entry.size, mtimeNs }),
        data: openLater(entry.source),
      };
  }
}

/** Opens the file when it is read, not when the list is made. */
async function* openLater(path: string): AsyncGenerator<Uint8Array> {
  yield* createReadStream(path, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Uint8Array>;
}
