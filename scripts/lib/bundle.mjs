// dist to lib/caisson.js, the module that users load: three hundred small files cost ten times the import time and
// 20 MB more memory. Dependencies stay outside; what is imported lazily stays a file of its own.
// dist/testing becomes lib/testing.js, by itself: a program that runs its tests loads nothing of the library for it,
// and nothing of the library moves to a file that both would share.
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { PROJECT } from './run.mjs';

const lib = join(PROJECT, 'lib');
mkdirSync(lib, { recursive: true });
for (const name of readdirSync(lib)) if (name.endsWith('.js')) rmSync(join(lib, name));
/** What both modules are built with. */
const OPTIONS = {
  outdir: lib,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  // Classes keep their names in logs and stack traces.
  keepNames: true,
  legalComments: 'eof',
  // Names stay, so that stack traces say something.
  minifySyntax: true,
  minifyWhitespace: true,
  logLevel: 'error',
};
await build({
  ...OPTIONS,
  entryPoints: { caisson: join(PROJECT, 'dist/index.js') },
  splitting: true,
  // valibot is bundled: of its one large module a twentieth is used, and loading it whole took a tenth of the import.
  external: ['koffi', 'execa', 'fs-extra', 'proper-lockfile', 'semver', 'debug'],
});
await build({ ...OPTIONS, entryPoints: { testing: join(PROJECT, 'dist/testing/index.js') } });
