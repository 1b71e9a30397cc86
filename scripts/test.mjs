// `npm test [-- stage…]`: installs what is missing, compiles, runs every test that can run here, then looks for leaks
// on the whole machine. Stages are listed in lib/stages.mjs. Environment:
//   CAISSON_TEST_FILTER=text          only test files whose path has the text
//   CAISSON_TEST_SHARED_MACHINE=1     others work on this machine: look only for leaks that carry this run's token
//   CAISSON_TEST_NO_INSTALL=1         don't run npm or apt
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { fullPath, missingBinaries } from './lib/binaries.mjs';
import { buildLibrary, buildTests, buildTypesIfStale } from './lib/build.mjs';
import { main, PROJECT, runLoud, Stop } from './lib/run.mjs';
import { STAGES } from './lib/stages.mjs';
import { objectionToSkip, readResults } from './lib/verdict.mjs';
import { setup } from './setup.mjs';

const isRoot = process.getuid() === 0;
const failures = [];

await main(async () => {
  const wanted = process.argv.slice(2);
  const unknown = wanted.filter((name) => !STAGES.some((stage) => stage.name === name));
  if (unknown.length > 0) {
    throw new Stop(`No stage ${unknown.join(', ')}; there are ${STAGES.map((stage) => stage.name).join(', ')}.`);
  }
  const stages = STAGES.filter((stage) => wanted.length === 0 || wanted.includes(stage.name));
  process.env.PATH = fullPath();
  const missing = process.env.CAISSON_TEST_NO_INSTALL ? missingBinaries('tests') : setup('tests');

  console.log('Compiling…');
  buildLibrary();
  buildTypesIfStale();
  buildTests();

  mkdirSync(join(PROJECT, 'temp'), { recursive: true });
  const records = mkdtempSync(join(PROJECT, 'temp/results-'));
  // Short: sockets live under it, and a socket path may have 107 bytes. All temp roots of the run carry this token.
  const tempDir = mkdtempSync('/tmp/caisson-t-');
  const leaks = await import(pathToFileURL(join(PROJECT, 'build/test/support/leaks.js')).href);
  const scope = { token: tempDir, sharedMachine: process.env.CAISSON_TEST_SHARED_MACHINE === '1' };
  const before = leaks.machineSnapshot(scope);
  const recordFiles = [];
  try {
    for (const stage of stages) await runStage(stage, { records, recordFiles, tempDir });
    await reportLeaks(leaks, scope, before);
    summarize(readResults(recordFiles), missing, wanted);
  } finally {
    rmSync(tempDir, { recursive: true, force: true });
    rmSync(records, { recursive: true, force: true });
  }
});

async function runStage(stage, { records, recordFiles, tempDir }) {
  let args;
  if (stage.kind === 'tool') {
    args = [join(PROJECT, 'node_modules', stage.file), ...stage.args];
  } else {
    const filter = process.env.CAISSON_TEST_FILTER;
    const files = testFiles(join(PROJECT, 'build/test', stage.name)).filter((file) => !filter || file.includes(filter));
    if (files.length === 0) return;
    const record = join(records, `${stage.name}.jsonl`);
    recordFiles.push(record);
    args = [
      '--test',
      `--test-concurrency=${stage.concurrency}`,
      `--test-timeout=${stage.testMs}`,
      '--test-reporter=spec',
      '--test-reporter-destination=stdout',
      `--test-reporter=${join(PROJECT, 'scripts/lib/skip-reporter.mjs')}`,
      `--test-reporter-destination=${record}`,
      ...files,
    ];
  }
  console.log(`\n── ${stage.name}`);
  const { code, timedOut } = await runLoud(process.execPath, args, {
    timeoutMs: stage.limitMs,
    env: { TMPDIR: tempDir },
  });
  if (timedOut) failures.push(`${stage.name}: not done after ${stage.limitMs / 60_000} minutes, so it was ended`);
  else if (code !== 0) failures.push(`${stage.name}: failed`);
  if (code === 130) throw new Stop('Interrupted.');
}

function testFiles(dir) {
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { recursive: true })
    .filter((name) => name.endsWith('.test.js'))
    .sort()
    .map((name) => join(dir, name));
}

/** Processes that end by themselves get a moment; what is still there after it is a leak. */
async function reportLeaks(leaks, scope, before) {
  let found = leaks.diffSnapshots(before, leaks.machineSnapshot(scope));
  for (let i = 0; i < 20 && found.length > 0; i++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    found = leaks.diffSnapshots(before, leaks.machineSnapshot(scope));
  }
  console.log(found.length === 0 ? '\nLeak check: nothing left behind.' : '\nLeak check: the suite left these behind:');
  for (const leak of found) {
    console.log(`    ${leak}`);
    failures.push(`leak: ${leak}`);
  }
}

function summarize(results, missing, wanted) {
  const excused = new Map();
  for (const row of results.skipped) {
    const objection = objectionToSkip(row.reason, { isRoot, missing });
    if (objection !== undefined) failures.push(`skipped "${row.name}" (${row.reason ?? 'no reason'}): ${objection}`);
    else excused.set(row.reason, (excused.get(row.reason) ?? 0) + 1);
  }
  for (const row of results.todo) failures.push(`todo "${row.name}": finish or remove it`);
  for (const [reason, count] of excused) console.log(`Left out: ${count} tests (${reason})`);
  if (!isRoot) {
    console.log('Not root: tests that make containers were left out; run sudo npm test for all of them.');
    if (process.env.CI === 'true') failures.push('CI must run the tests as root');
  }
  if (wanted.length === 0 && results.pass === 0) failures.push('no test ran');
  for (const failure of failures) console.log(`✖ ${failure}`);
  console.log(
    `\n${results.pass} passed, ${results.fail} failed, ${results.skipped.length + results.todo.length} skipped`,
  );
  if (failures.length > 0 || results.fail > 0) process.exitCode = 1;
}
