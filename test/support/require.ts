import { accessSync, constants, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/**
 * Skips with `missing: root` unless we are root. Use: `if (!requireRoot(t)) return;`. The suite accepts a skip only
 * when what the reason names can't be had on the machine.
 */
export function requireRoot(t: Pick<TestContext, 'skip'>): boolean {
  if (process.getuid?.() === 0) return true;
  t.skip('missing: root');
  return false;
}

/** The program's absolute path; skips with `missing: <name>` and gives undefined when it is not installed. */
export function requireBinary(t: Pick<TestContext, 'skip'>, name: string): string | undefined {
  const path = findBinary(name);
  if (path === undefined) t.skip(`missing: ${name}`);
  return path;
}

/** Skips with `missing: file system <name>` unless the kernel knows the file system. */
export function requireFileSystem(t: Pick<TestContext, 'skip'>, name: string): boolean {
  if (new RegExp(`\\b${name}$`, 'm').test(readFileSync('/proc/filesystems', 'utf8'))) return true;
  t.skip(`missing: file system ${name}`);
  return false;
}

/** Absolute path of an installed program, searched on PATH and in the system directories. */
export function findBinary(name: string): string | undefined {
  const system = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
  for (const dir of [...(process.env['PATH'] ?? '').split(':'), ...system]) {
    if (dir === '') continue;
    const path = join(dir, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not here
    }
  }
  return undefined;
}
