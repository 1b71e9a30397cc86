import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { EngineError } from '../../errors/index.js';
import { writeFileAtomic } from '../../state/index.js';
import type { LastExit } from '../record.js';

const KEEP_MS = 3_600_000;

/** Exits of removed containers, kept an hour: a waiter in another process must not lose the code to auto-remove. */
export function writeTombstone(path: string, exit: LastExit): void {
  try {
    writeFileAtomic(path, JSON.stringify(exit), { durable: false });
  } catch (error) {
    // A removal on a full disk goes on without.
    if (!EngineError.is(error, 'RESOURCE_EXHAUSTED', 'DISK_FULL')) throw error;
  }
}

export function readTombstone(path: string): LastExit | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as LastExit;
  } catch {
    return undefined;
  }
}

/** Removes those that are older than an hour. */
export function expireTombstones(dir: string): void {
  let names: string[];
  try {
    names = readdirSync(dir);
  } catch {
    return;
  }
  for (const name of names) {
    const stat = statSync(`${dir}/${name}`, { throwIfNoEntry: false });
    if (stat !== undefined && Date.now() - stat.mtimeMs > KEEP_MS) rmSync(`${dir}/${name}`, { force: true });
  }
}
