// Installs what is missing, compiles, and shows the engine at work on an image made from this host's own programs.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { buildLibrary, buildTests } from './lib/build.mjs';
import { main, PROJECT, runLoud, Stop } from './lib/run.mjs';
import { setup } from './setup.mjs';

await main(async () => {
  if (process.getuid() !== 0) {
    throw new Stop('The quick start makes real containers and must be root for that: run sudo npm run quickstart.');
  }
  setup('quickstart');
  console.log('Compiling…');
  buildLibrary();
  buildTests();
  const program = join(PROJECT, 'build/examples/quickstart.js');
  if (!existsSync(program)) throw new Stop('examples/quickstart.ts is missing, so there is nothing to show.');
  const { code, timedOut } = await runLoud(process.execPath, [program], { timeoutMs: 120_000 });
  if (timedOut)
    throw new Stop('The quick start did not end within two minutes; engine.doctor() may say what is wrong.');
  process.exitCode = code;
});
