// Compiles and runs the benchmarks; arguments are passed on.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { buildLibrary, buildTests } from './lib/build.mjs';
import { main, PROJECT, runLoud, Stop } from './lib/run.mjs';
import { setup } from './setup.mjs';

await main(async () => {
  if (process.getuid() !== 0) throw new Stop('The benchmarks start real containers: run sudo npm run bench.');
  setup('quickstart');
  buildLibrary();
  buildTests();
  const program = join(PROJECT, 'build/bench/main.js');
  if (!existsSync(program)) throw new Stop('bench/main.ts is missing, so there is nothing to run.');
  const { code, timedOut } = await runLoud(process.execPath, ['--expose-gc', program, ...process.argv.slice(2)], {
    timeoutMs: 30 * 60_000,
  });
  if (timedOut) throw new Stop('The benchmarks did not end within 30 minutes.');
  process.exitCode = code;
});
