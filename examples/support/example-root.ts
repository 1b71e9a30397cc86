import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A root of its own for one run of an example; a program of yours would name a lasting one, or none for the default. */
export function exampleRoot(): string {
  const root = mkdtempSync(join(tmpdir(), 'caisson-example-'));
  process.once('exit', () => rmSync(root, { recursive: true, force: true }));
  return root;
}
