import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { errnoOf } from '../os/syscalls/index.js';
import { syncDirectory, tempName } from './atomic-file.js';

/**
 * A name that one holder owns: a directory with exactly one file, named after the holder. Taking it is a rename of a
 * prepared directory over a missing or empty one, which the kernel refuses when somebody is inside; taking it away
 * from a dead holder is the removal of *that holder's* file. So two who find the same dead holder can't remove each
 * other's new claim, and no lock is needed.
 */
export interface Claim {
  /** Name of the one file inside. */
  readonly holder: string;
  readonly content: string;
}

/** Takes the name; false when it has a holder. Throws Node's error for anything else. */
export function takeOwnership(path: string, claim: Claim, options: { readonly durable: boolean }): boolean {
  const temp = join(dirname(path), tempName(basename(path)));
  try {
    mkdirSync(temp, { mode: 0o700 });
    writeFileSync(join(temp, claim.holder), claim.content, { mode: 0o600, flag: 'wx', flush: options.durable });
    if (options.durable) syncDirectory(temp);
    renameSync(temp, path);
  } catch (error) {
    rmSync(temp, { recursive: true, force: true });
    const errno = errnoOf(error);
    if (errno === 'ENOTEMPTY' || errno === 'EEXIST') return false;
    throw error;
  }
  if (options.durable) syncDirectory(dirname(path));
  return true;
}

/** Who owns the name; `undefined` when nobody does. */
export function currentOwner(path: string): Claim | undefined {
  let holder: string | undefined;
  try {
    [holder] = readdirSync(path);
    return holder === undefined ? undefined : { holder, content: readFileSync(join(path, holder), 'utf8') };
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    // Gone between the two calls, or never there.
    return undefined;
  }
}

/** Ends the ownership of this holder and no other; false when it does not own the name. */
export function dropOwnership(path: string, holder: string): boolean {
  try {
    unlinkSync(join(path, holder));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return false;
    throw error;
  }
  try {
    rmdirSync(path);
  } catch {
    // Taken again already, or removed by the next taker's rename.
  }
  return true;
}
