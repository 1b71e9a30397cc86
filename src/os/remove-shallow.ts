import { readdirSync, rmdirSync, rmSync, unlinkSync } from 'node:fs';

/**
 * Removes a directory that normally holds files and empty directories only; whatever else it holds goes too. Nothing
 * there is fine. `rmSync` alone makes several objects for each file, which the thousandth container still pays for.
 */
export function removeShallow(dir: string): void {
  try {
    for (const entry of readdirSync(dir, { withFileTypes: true })) {
      if (entry.isDirectory()) rmdirSync(`${dir}/${entry.name}`);
      else unlinkSync(`${dir}/${entry.name}`);
    }
    rmdirSync(dir);
  } catch {
    rmSync(dir, { recursive: true, force: true });
  }
}
