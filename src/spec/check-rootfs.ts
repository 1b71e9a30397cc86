import { lstatSync } from 'node:fs';
import { engineError } from '../errors/index.js';

/** Where runtimes mount or write before the container's root is its own. */
const REAL_DIRECTORIES = ['/dev', '/etc', '/proc', '/sys'];

/**
 * Refuses a root file system in which a directory that the runtime mounts on is a link or a special file: runtimes have
 * been led to the host that way (CVE-2026-41579, CVE-2023-27561, CVE-2025-9566). Throws HOSTILE_ROOTFS. One lstat each.
 */
export function checkRootfs(rootfsPath: string): void {
  for (const path of REAL_DIRECTORIES) {
    const stat = lstatSync(rootfsPath + path, { throwIfNoEntry: false });
    if (stat === undefined || stat.isDirectory()) continue;
    throw engineError('HOSTILE_ROOTFS', `path ${path} of the image is ${stat.isSymbolicLink() ? 'a link' : 'a file'}`, {
      details: { path },
    });
  }
}
