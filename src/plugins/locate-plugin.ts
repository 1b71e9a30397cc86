import { type Dirent, readdirSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../os/syscalls/index.js';
import { SAFE_NAME } from '../util/ids.js';
import type { PluginFailure } from './plugin-client.js';
import type { PluginAddress, PluginDefinition } from './plugin-definition.js';
import { type ReadDefinitionOptions, readDefinition } from './read-definition.js';
import { checkTrustedPath } from './trusted-path.js';

export interface PluginDirectories extends ReadDefinitionOptions {
  /** Searched in this order, before all spec directories. */
  readonly socketDirs: readonly string[];
  readonly specDirs: readonly string[];
  /** Besides root and us: who may own sockets, definitions and the directories they are in. */
  readonly trustedUids: readonly number[];
}

/**
 * Looks a plugin up in Docker's order: `<name>.sock` and `<name>/<name>.sock` of each socket directory (what is no
 * socket does not count), then `<name>.spec`, `<name>/<name>.spec`, `<name>.json`, `<name>/<name>.json` of each spec
 * directory. The first that exists is it, also when it is wrong. A few file system calls, no connection.
 *
 * Throws PLUGIN_BAD_DEFINITION, PLUGIN_UNTRUSTED.
 */
export function locatePlugin(where: PluginDirectories, name: string): PluginDefinition | undefined {
  for (const dir of where.socketDirs) {
    for (const path of [join(dir, `${name}.sock`), join(dir, name, `${name}.sock`)]) {
      if (!statOf(path)?.isSocket()) continue;
      if (checkTrustedPath(path, where.trustedUids) === undefined) continue;
      return { name, path, address: { kind: 'unix', path }, stamp: stampOf(path) };
    }
  }
  for (const dir of where.specDirs) {
    for (const extension of ['.spec', '.json']) {
      for (const path of [join(dir, name + extension), join(dir, name, name + extension)]) {
        if (!statOf(path)?.isFile()) continue;
        if (checkTrustedPath(path, where.trustedUids) === undefined) continue;
        const stamp = stampOf(path);
        const address = readDefinition(path, where);
        if (address === undefined) continue;
        return { name, path, address, stamp: `${stamp} ${addressStamp(address, where)}` };
      }
    }
  }
  return undefined;
}

/** A socket that is not there yet is no mistake of the definition: connecting says so. */
function addressStamp(address: PluginAddress, where: PluginDirectories): string {
  if (address.kind === 'tcp') return `${address.host}:${address.port}`;
  checkTrustedPath(address.path, where.trustedUids);
  return stampOf(address.path);
}

function stampOf(path: string): string {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? `${path} missing` : `${path} ${stat.dev}:${stat.ino}:${stat.ctimeNs}`;
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}

/** Names that the directories may have plugins for, sorted; whether they do, `locatePlugin` says. */
export function scanPluginNames(where: PluginDirectories): {
  readonly names: readonly string[];
  readonly problems: readonly PluginFailure[];
} {
  const names = new Set<string>();
  const problems: PluginFailure[] = [];
  const scan = (dir: string, extensions: RegExp) => {
    for (const entry of entriesOf(dir, problems)) {
      const stem = entry.name.replace(extensions, '');
      const counts = stem !== entry.name || entry.isDirectory() || isLinkedDirectory(join(dir, entry.name), entry);
      if (counts && SAFE_NAME.test(stem)) names.add(stem);
    }
  };
  for (const dir of where.socketDirs) scan(dir, /\.sock$/);
  for (const dir of where.specDirs) scan(dir, /\.(spec|json)$/);
  return { names: [...names].sort(), problems };
}

function entriesOf(dir: string, problems: PluginFailure[]): Dirent[] {
  try {
    return readdirSync(dir, { withFileTypes: true });
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')) problems.push({ name: dir, error: error as Error });
    return [];
  }
}

function isLinkedDirectory(path: string, entry: Dirent): boolean {
  return entry.isSymbolicLink() && statOf(path)?.isDirectory() === true;
}
