import { type BigIntStats, constants, copyFileSync, readlinkSync, symlinkSync } from 'node:fs';
import { majorOf, minorOf, mknod } from '../os/syscalls/index.js';
import { fsPath, syscallPath } from './byte-string.js';
import { copyMetadata, type Ownership } from './layer-metadata.js';

const S_IFMT = 0o170000n;

/** Copies one file of a lower layer (anything but a directory) to `to`, which must not exist, with all metadata. */
export function copyUp(from: string, stat: BigIntStats, to: string, ownership: Ownership): void {
  if (stat.isFile()) copyFileSync(fsPath(from), fsPath(to), constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  else if (stat.isSymbolicLink()) symlinkSync(readlinkSync(fsPath(from), 'buffer'), fsPath(to));
  else mknod(syscallPath(to), Number(stat.mode & S_IFMT) | 0o600, majorOf(stat.rdev), minorOf(stat.rdev));
  copyMetadata(from, to, ownership);
}
