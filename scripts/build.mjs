// `node scripts/build.mjs [all]`: dist with its types; `all` adds tests, examples and benches.
// `node scripts/build.mjs api`: also writes api/caisson.api.md.
import { argv } from 'node:process';
import { buildLibrary, buildTests, buildTypes, buildTypesIfStale } from './lib/build.mjs';
import { main } from './lib/run.mjs';

await main(() => {
  buildLibrary();
  if (argv[2] === 'api') buildTypes({ update: true });
  else buildTypesIfStale();
  if (argv[2] === 'all') buildTests();
});
