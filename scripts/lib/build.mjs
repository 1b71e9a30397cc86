// Compiles: src to dist and lib, the rollup of types, tests and examples to build. Removes outputs whose source is gone.
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT, runQuiet, Stop } from './run.mjs';

const LIMIT_MS = 5 * 60_000;
/** The types of each entry point in one file, with the configurations that make it: with the API report, and without. */
const ROLLUPS = [
  { file: join(PROJECT, 'lib/caisson.d.ts'), report: 'api-extractor.json', plain: 'scripts/lib/api-rollup.json' },
  {
    file: join(PROJECT, 'lib/testing.d.ts'),
    report: 'scripts/lib/api-testing.json',
    plain: 'scripts/lib/api-testing-rollup.json',
  },
];

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
    if (match === null) continue;
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

const extractApi = (config, ...args) =>
  tool('@microsoft/api-extractor/bin/api-extractor', ['run', '--config', config, ...args], 'api-extractor');

/** The one-file types of lib and the API reports. `update`: write the reports in api instead of comparing. */
export function buildTypes({ update = false } = {}) {
  for (const { report } of ROLLUPS) extractApi(report, ...(update ? ['--local'] : []));
}

/** A rollup is made when a declaration is newer than it: it costs two seconds. The reports are compared by a test. */
export function buildTypesIfStale() {
  for (const { file, report, plain } of ROLLUPS) {
    if (isStale(file, report)) extractApi(plain, '--local');
  }
}

function isStale(file, config) {
  if (!existsSync(file)) return true;
  const made = statSync(file).mtimeMs;
  if (statSync(join(PROJECT, config)).mtimeMs > made) return true;
  for (const path of filesUnder(join(PROJECT, 'dist'))) {
    if (path.endsWith('.d.ts') && statSync(path).mtimeMs > made) return true;
  }
  return false;
}
