import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { SUITES } from './suites/index.js';
import { type BenchArguments, parseArguments } from './support/arguments.js';
import { findProgram } from './support/commands.js';
import { removeBenchCgroups } from './support/engine.js';
import { type BenchRow, formatTable, isMet } from './support/rows.js';
import { makeStorage } from './support/storage.js';
import type { RuntimeName, Suite } from './support/suite.js';
import { runSuiteProcess } from './support/suite-process.js';

const RESULTS = join(import.meta.dirname, 'results.json');

const options = parseArguments(process.argv.slice(2));
process.exitCode = options.child === undefined ? await runAll(options) : await runOne(options, options.child);

/** In the process of one suite. */
async function runOne(given: BenchArguments, child: NonNullable<BenchArguments['child']>): Promise<number> {
  const suite = SUITES.find((one) => one.name === child.suite);
  if (suite === undefined) throw new Error(`no suite ${child.suite}`);
  const [runtime = 'runc'] = given.runtimes;
  const log = (message: string) => console.error(`  ${message}`);
  const rows = await suite.run({ dir: child.dir, runtime, quick: given.quick, peers: given.peers, log });
  writeFileSync(child.output, JSON.stringify(rows));
  return 0;
}

async function runAll(given: BenchArguments): Promise<number> {
  if (process.geteuid?.() !== 0) {
    console.error('The benchmarks start real containers: run them as root.');
    return 1;
  }
  const storage = makeStorage();
  const interrupted = new AbortController();
  const stop = (): void => interrupted.abort();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop);
  const rows: BenchRow[] = [];
  let failed = 0;
  try {
    console.error(`on ${storage.kind}`);
    for (const suite of SUITES) {
      if (given.suites.length > 0 && !given.suites.some((name) => suite.name.includes(name))) continue;
      for (const runtime of runtimesOf(suite, given)) {
        if (interrupted.signal.aborted) continue;
        const startedAt = Date.now();
        const dir = join(storage.dir, `${suite.name.replaceAll(' ', '-')}-${runtime}`);
        try {
          rows.push(...(await runSuiteProcess(suite, runtime, dir, given)));
        } catch (error) {
          failed++;
          console.error(`  ${(error as Error).message}`);
        }
        console.error(`${suite.name}, ${runtime}: ${((Date.now() - startedAt) / 1000).toFixed(1)} s`);
      }
    }
  } finally {
    storage.remove();
    removeBenchCgroups();
  }
  writeResults(rows, storage.kind, given);
  console.log(formatTable(rows));
  const missed = rows.filter((row) => isMet(row) === false).length;
  console.error(`${missed} of ${rows.filter((row) => row.goal).length} goals missed, ${failed} suites failed`);
  return failed > 0 || interrupted.signal.aborted || (given.check && missed > 0) ? 1 : 0;
}

function runtimesOf(suite: Suite, given: BenchArguments): readonly RuntimeName[] {
  const wanted = given.quick && suite.quickRuntimes !== undefined ? suite.quickRuntimes : suite.runtimes;
  const named = given.runtimes.length > 0 ? suite.runtimes.filter((name) => given.runtimes.includes(name)) : wanted;
  return named.filter((name) => findProgram(name) !== undefined);
}

function writeResults(rows: readonly BenchRow[], storage: string, given: BenchArguments): void {
  mkdirSync(join(RESULTS, '..'), { recursive: true });
  const [cpu] = cpus();
  const machine = { cpu: cpu?.model, cpus: cpus().length, kernel: release(), node: process.version, storage };
  const result = { takenAt: new Date().toISOString(), quick: given.quick, machine, rows };
  writeFileSync(RESULTS, `${JSON.stringify(result, null, 2)}\n`);
}
