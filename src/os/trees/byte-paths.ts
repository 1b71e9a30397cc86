import { type Dirent, readdirSync } from 'node:fs';

const SLASH = Buffer.from('/');

/** Paths of container files are bytes: names need not be UTF-8, and a string would name another file. */
export function joinBytes(directory: Buffer, name: Buffer): Buffer {
  return Buffer.concat([directory, SLASH, name]);
}

/** Entries of a directory, names as bytes. */
export function readEntries(directory: Buffer): Dirent<Buffer>[] {
  return readdirSync(directory, { encoding: 'buffer', withFileTypes: true }) as unknown as Dirent<Buffer>[];
}

/** The path of an entry of an open directory, whatever the directory is called by now. */
export function inDirectory(fd: number, name: Buffer | string): Buffer {
  const prefix = `/proc/self/fd/${fd}/`;
  return typeof name === 'string' ? Buffer.from(prefix + name) : Buffer.concat([Buffer.from(prefix), name]);
}
