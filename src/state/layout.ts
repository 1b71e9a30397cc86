import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, readdirSync, readFileSync, realpathSync, type Stats, statSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { engineError, quote } from '../errors/index.js';
import { makePrivateDir } from '../os/private-dir.js';
import { errnoOf } from '../os/syscalls/index.js';
import { assertSafeName } from '../util/ids.js';
import { createFileExclusive } from './atomic-file.js';
import { ensureDirectory } from './directories.js';
import { ioError } from './io-error.js';

const SCHEMA = 1;

/** Where the files of one state root are. */
export interface Layout {
  /** The root as given. */
  readonly root: string;
  /** `<root>/v1`: everything of this schema. */
  readonly v1: string;
  /** Run-time facts (pids, sockets, bundles); gone after a reboot where it is on tmpfs. */
  readonly run: string;
  /** `<root>/v1/<kind>`, made 0700 when missing. */
  dir(kind: string): string;
  /** A path under `run`; nothing is made. Each part must be a safe name. */
  runPath(...parts: readonly string[]): string;
}

export interface LayoutOptions {
  /** Absolute path; made when missing. */
  readonly root: string;
  /** Absolute path; default `/run/caisson/<hash of the real root>`, one per root. */
  readonly runDir?: string;
}

/**
 * Opens (and on first use makes) a state root. Throws BAD_OPTION for a path that is not absolute, ROOT_NOT_OURS or
 * ROOT_UNREADABLE for a directory that others own, may write or that can't be read, ROOT_NEWER_SCHEMA for one that a
 * newer version wrote. Safe to call from many processes at once.
 */
export function openLayout(options: LayoutOptions): Layout {
  const { root } = options;
  assertPath('root', root);
  if (options.runDir !== undefined) assertPath('runDir', options.runDir);
  checkRoot(root);

  const v1 = join(root, 'v1');
  ensureDirectory(v1, { durable: true });
  checkClosed('root', v1, lstatSync(v1));
  checkSchema(v1);

  const run = options.runDir ?? defaultRunDir(root);
  makeRunDir(run);
  return {
    root,
    v1,
    run,
    dir(kind) {
      assertSafeName('kind', kind);
      const path = join(v1, kind);
      ensureDirectory(path, { durable: true });
      return path;
    },
    runPath(...parts) {
      for (const part of parts) assertSafeName('run path', part);
      return join(run, ...parts);
    },
  };
}

function assertPath(field: string, path: unknown): asserts path is string {
  if (typeof path !== 'string' || !isAbsolute(path) || path.includes('\0')) {
    throw engineError('BAD_OPTION', `${field} ${quote(path)} is not an absolute path`, {
      details: { field, value: quote(path) },
    });
  }
}

function checkRoot(root: string): void {
  let stat: Stats;
  let entries: string[];
  try {
    const link = lstatSync(root, { throwIfNoEntry: false });
    if (link === undefined) ensureDirectory(root, { durable: true });
    if (link?.isSymbolicLink() && link.uid !== process.geteuid?.()) {
      throw notOurs('root', root, `is a symbolic link of uid ${link.uid}`);
    }
    stat = statSync(root);
    checkOwned('root', root, stat);
    entries = readdirSync(root);
  } catch (error) {
    throw unreadable(root, error);
  }
  if ((stat.mode & 0o022) !== 0) {
    // A directory made with a lax umask and still empty can be closed; in one with content others may have planted it.
    if (entries.length > 0 || (stat.mode & 0o1000) !== 0) {
      throw notOurs('root', root, openTo(stat));
    }
    chmodSync(root, 0o700);
  }
  for (const entry of entries) {
    const version = /^v([1-9]\d*)$/.exec(entry);
    if (version !== null && Number(version[1]) > SCHEMA) throw newer(root, Number(version[1]));
  }
}

function checkOwned(field: string, path: string, stat: Stats): void {
  if (!stat.isDirectory()) throw notOurs(field, path, 'is not a directory');
  if (stat.uid !== process.geteuid?.()) throw notOurs(field, path, `belongs to uid ${stat.uid}`);
}

/** Checks that a directory is ours alone, and makes it so where others could only read it. */
function checkClosed(field: string, path: string, stat: Stats): void {
  checkOwned(field, path, stat);
  if ((stat.mode & 0o022) !== 0 && readdirSync(path).length > 0) throw notOurs(field, path, openTo(stat));
  if ((stat.mode & 0o7777) !== 0o700) chmodSync(path, 0o700);
}

function openTo({ mode }: Stats): string {
  return `may be written by others (mode ${(mode & 0o7777).toString(8)})`;
}

function checkSchema(v1: string): void {
  const path = join(v1, 'schema.json');
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw unreadable(path, error);
    createFileExclusive(path, `{"schema":${SCHEMA}}\n`, { durable: true });
    return;
  }
  let schema: unknown;
  try {
    schema = (JSON.parse(text) as { schema?: unknown } | null)?.schema;
  } catch {}
  if (typeof schema !== 'number') {
    throw engineError('ROOT_UNREADABLE', `file ${quote(path)} holds no schema number`, { details: { path } });
  }
  if (schema > SCHEMA) throw newer(v1, schema);
}

function defaultRunDir(root: string): string {
  const hash = createHash('sha256').update(realpathSync(root)).digest('hex').slice(0, 12);
  return join('/run/caisson', hash);
}

function makeRunDir(run: string): void {
  try {
    if (run.startsWith('/run/caisson/')) makePrivateDir('/run/caisson');
    const stat = lstatSync(run, { throwIfNoEntry: false });
    if (stat === undefined) makePrivateDir(run);
    else checkClosed('runDir', run, stat);
  } catch (error) {
    throw unreadable(run, error);
  }
}

function notOurs(field: string, path: string, what: string): Error {
  return engineError('ROOT_NOT_OURS', `${field} ${quote(path)} ${what}`, { details: { field, path } });
}

function newer(path: string, found: number): Error {
  return engineError('ROOT_NEWER_SCHEMA', `root ${quote(path)} has schema ${found}, this version knows ${SCHEMA}`, {
    details: { path, found, supported: SCHEMA },
  });
}

function unreadable(path: string, error: unknown): unknown {
  const errno = errnoOf(error);
  if (errno === undefined) return error;
  if (errno === 'ENOSPC' || errno === 'EDQUOT') return ioError('use', path, error);
  return engineError('ROOT_UNREADABLE', `can't use ${quote(path)}: ${errno}`, {
    details: { path, errno },
    cause: error,
  });
}
