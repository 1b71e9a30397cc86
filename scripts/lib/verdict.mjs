// Reads what the stages recorded and says which skips were right.
import { readFileSync } from 'node:fs';
import { BINARIES } from './binaries.mjs';

/** Sums the JSON lines of the skip reporter over files: { pass, fail, skipped: [{ name, file, reason }], todo: [...] }. */
export function readResults(files) {
  const results = { pass: 0, fail: 0, skipped: [], todo: [] };
  for (const path of files) {
    for (const line of readFileSync(path, 'utf8').split('\n')) {
      if (line === '') continue;
      const row = JSON.parse(line);
      if (row.outcome === 'skip') results.skipped.push(row);
      else if (row.outcome === 'todo') results.todo.push(row);
      else results[row.outcome] += 1;
    }
  }
  return results;
}

/**
 * Why a skip is not allowed here, or undefined when it is. A test may be skipped only with the reason
 * `missing: <what>`, and only when setup could not provide it: a program of the table that is installed, or root when
 * we are root, is no excuse. Other words name facts of the kernel, which nobody can install.
 */
export function objectionToSkip(reason, { isRoot, missing }) {
  const what = /^missing: (.+)$/.exec(reason ?? '')?.[1];
  if (what === undefined) return 'its reason is not "missing: <what>"';
  if (what === 'root') return isRoot ? 'we are root' : undefined;
  if (!isRoot) return undefined;
  const row = BINARIES.find((binary) => binary.name === what);
  if (row !== undefined && !missing.some((other) => other.name === what)) return `${what} is installed`;
  return undefined;
}
