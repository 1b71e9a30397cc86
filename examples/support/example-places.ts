import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A root and run dir for one run of an example, gone with it; a program of yours names a lasting root, or none. */
export function examplePlaces(): { root: string; runDir: string } {
  const dir = mkdtempSync(join(tmpdir(), 'caisson-e-'));
  process.once('exit', () => rmSync(dir, { recursive: true, force: true }));
  return { root: join(dir, 'root'), runDir: join(dir, 'run') };
}
