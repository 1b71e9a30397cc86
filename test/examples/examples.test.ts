import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { PROJECT } from '#support/project.js';
import { requireRoot } from '#support/require.js';
import { run } from '#support/run.js';

const dir = join(PROJECT, 'build/examples');
const examples = readdirSync(join(PROJECT, 'examples')).filter((name) => name.endsWith('.ts'));

describe('examples', () => {
  for (const name of examples) {
    it(`${name} runs and ends by itself`, async (t) => {
      if (!requireRoot(t)) return;
      const result = await run(process.execPath, [join(dir, name.replace(/\.ts$/, '.js'))], { timeoutMs: 60_000 });
      assert.equal(result.code, 0, `${result.signal ?? ''}\n${result.stdout}${result.stderr}`);
      assert.notEqual(result.stdout, '', 'an example shows what it did');
    });
  }
});
