import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { lgetxattr, llistxattr, majorOf, minorOf } from '#src/os/syscalls/index.js';

/** One file-system object as text, so that assertions show what differs. */
export type TreeSnapshot = Record<string, string>;

export interface SnapshotTreeOptions {
  /** Leave modification times out. */
  readonly ignoreTimes?: boolean;
  /** Whether the root itself is part of it. @defaultValue true */
  readonly includeRoot?: boolean;
  /** Attributes that are left out. @defaultValue overlay's own */
  readonly ignoreXattrs?: RegExp;
}

/**
 * Everything that can be seen of a tree: path, type, mode, owner, size, time, links, attributes, device numbers, hashes.
 * Hard links are shown by the first name of their file. Names are byte strings.
 */
export function snapshotTree(root: string, options: SnapshotTreeOptions = {}): TreeSnapshot {
  const result: TreeSnapshot = Object.create(null);
  const names = new Map<string, string>();
  const rootBytes = Buffer.from(root).toString('latin1');
  const visit = (path: string, shown: string): void => {
    const bytes = Buffer.from(path, 'latin1');
    const c = Buffer.from(path, 'latin1');
    const stat = lstatSync(bytes, { bigint: true });
    const parts = [`mode=${(stat.mode & 0o7777n).toString(8)}`, `owner=${stat.uid}:${stat.gid}`];
    if (!options.ignoreTimes) parts.push(`mtime=${stat.mtimeNs}`);
    for (const name of llistxattr(c).sort()) {
      if ((options.ignoreXattrs ?? /^trusted\.overlay\.|^security\.selinux$/).test(name)) continue;
      parts.push(`${name}=${lgetxattr(c, name)?.toString('hex')}`);
    }
    if (stat.isDirectory()) parts.unshift('directory');
    else {
      parts.push(`nlink=${stat.nlink}`);
      const key = `${stat.dev}:${stat.ino}`;
      const first = names.get(key);
      if (first === undefined) names.set(key, shown);
      else parts.push(`same as ${first}`);
    }
    if (stat.isSymbolicLink()) parts.unshift('symlink', readlinkSync(bytes, 'latin1'));
    if (stat.isFile()) {
      parts.unshift('file');
      parts.push(`size=${stat.size}`, createHash('sha256').update(readFileSync(bytes)).digest('hex').slice(0, 16));
    }
    if (stat.isFIFO()) parts.unshift('fifo');
    if (stat.isCharacterDevice() || stat.isBlockDevice()) {
      parts.unshift(stat.isBlockDevice() ? 'block' : 'char', `${majorOf(stat.rdev)}:${minorOf(stat.rdev)}`);
    }
    if (shown !== '.' || options.includeRoot !== false) result[shown] = parts.join(' ');
    if (!stat.isDirectory()) return;
    for (const name of readdirSync(bytes, 'latin1').sort())
      visit(`${path}/${name}`, shown === '.' ? name : `${shown}/${name}`);
  };
  visit(rootBytes, '.');
  return result;
}
