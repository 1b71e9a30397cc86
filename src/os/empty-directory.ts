import { lstatSync } from 'node:fs';

/**
 * Removes all that is in a directory and keeps the directory itself, with its mode and owner. For cold paths and any
 * size: the event loop goes on meanwhile. Links in it are removed, not followed. One that does not exist is not made;
 * a link in the directory's own place is left alone.
 */
export async function emptyDirectory(path: string): Promise<void> {
  if (!lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
  const { default: fsExtra } = await import('fs-extra');
  await fsExtra.emptyDir(path);
}
