// Compiles: src to dist and lib, the rollup of types, tests and examples to build. Removes outputs whose source is gone.
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT, runQuiet, Stop } from './run.mjs';

const LIMIT_MS = 5 * 60_000;
const ROLLUP = join(PROJECT, 'lib/caisson.d.ts');

function tool(file, args, label) {
  const result = runQuiet(process.execPath, [join(PROJECT, 'node_modules', file), ...args], { timeoutMs: LIMIT_MS });
  if (!result.ok) throw new Stop(`${label} ${result.timedOut ? 'took too long' : 'failed'}:\n${result.output}`);
  return result.output;
}

function* filesUnder(dir) {
  if (!existsSync(dir)) return;
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) yield* filesUnder(path);
    else yield path;
  }
}

/** The compiler never deletes: a removed test would run on from its old output. */
function removeStale(outDir, sourceDir) {
  const out = join(PROJECT, outDir);
  for (const path of filesUnder(out)) {
    const match = /^(.*?)(\.d\.ts|\.js)$/.exec(path.slice(out.length + 1));
    if (match === null || path === ROLLUP) continue;
    if (!existsSync(join(PROJECT, sourceDir, `${match[1]}.ts`))) rmSync(path);
  }
}

/** src to dist, and dist to lib/caisson.js. */
export function buildLibrary() {
  removeStale('dist', 'src');
  tool('typescript/bin/tsc', ['-p', 'tsconfig.json'], 'Compiling src');
  const bundled = runQuiet(process.execPath, [join(PROJECT, 'scripts/lib/bundle.mjs')], { timeoutMs: LIMIT_MS });
  if (!bundled.ok) throw new Stop(`Bundling failed:\n${bundled.output}`);
}

/** Tests, examples and benches to build. Needs dist. */
export function buildTests() {
  removeStale('build', '.');
  tool('typescript/bin/tsc', ['-p', 'tsconfig.test.json'], 'Compiling tests');
}

/** The one-file types lib/caisson.d.ts and the API report. `update`: write api/caisson.api.md instead of comparing. */
export function buildTypes({ update = false } = {}) {
  const args = ['run', ...(update ? ['--local'] : [])];
  return tool('@microsoft/api-extractor/bin/api-extractor', args, 'api-extractor');
}

/** The rollup is made when a declaration is newer than it: it costs two seconds. The report is compared by a test. */
export function buildTypesIfStale() {
  if (existsSync(ROLLUP)) {
    const made = statSync(ROLLUP).mtimeMs;
    let stale = statSync(join(PROJECT, 'api-extractor.json')).mtimeMs > made;
    for (const path of filesUnder(join(PROJECT, 'dist'))) {
      if (path.endsWith('.d.ts') && path !== ROLLUP && statSync(path).mtimeMs > made) stale = true;
    }
    if (!stale) return;
  }
  tool(
    '@microsoft/api-extractor/bin/api-extractor',
    ['run', '--local', '--config', 'scripts/lib/api-rollup.json'],
    'api-extractor',
  );
}
