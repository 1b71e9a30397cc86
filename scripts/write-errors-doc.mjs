// Writes docs/errors.md from the compiled tables of reasons.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { renderErrorsDoc } from './lib/errors-doc.mjs';
import { main, PROJECT } from './lib/run.mjs';

await main(async () => {
  const { REASONS } = await import('../dist/errors/index.js');
  writeFileSync(join(PROJECT, 'docs/errors.md'), renderErrorsDoc(REASONS));
});
