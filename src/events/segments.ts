import { readdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../os/syscalls/index.js';

const NAME = /^(\d{16})\.ndjson$/;

/** Owner's execute bit of a segment: somebody is about to seal it, or has. */
export const CLOSING = 0o100;

/** Path of the segment whose first byte has position `base`. */
export function segmentPath(dir: string, base: number): string {
  return join(dir, `${String(base).padStart(16, '0')}.ndjson`);
}

/** Base positions of the segments that are kept, ascending. */
export function listSegments(dir: string): number[] {
  let names: string[];
  try {
    names = readdirSync(dir);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
  const bases: number[] = [];
  for (const name of names) {
    const match = NAME.exec(name);
    if (match !== null) bases.push(Number(match[1]));
  }
  return bases.sort((a, b) => a - b);
}

/** Removes the oldest segments but `keep`. */
export function removeOldSegments(dir: string, keep: number): void {
  for (const base of listSegments(dir).slice(0, -keep)) {
    try {
      unlinkSync(segmentPath(dir, base));
    } catch {
      // Another process did; or the next rotation will.
    }
  }
}
