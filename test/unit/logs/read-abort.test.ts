import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { readLog } from '#src/logs/index.js';
import { tempDir } from '#support/roots.js';

it('an aborted loop gets no line more, though they are read already', async (t) => {
  const path = join(tempDir(t, 'logs'), 'ctr.log');
  writeFileSync(path, [1, 2, 3].map((n) => `2026-01-01T00:00:0${n}.000000000+00:00 stdout F line ${n}\n`).join(''));
  const abort = new AbortController();
  const lines: string[] = [];
  await assert.rejects(
    async () => {
      for await (const entry of readLog({ path, signal: abort.signal })) {
        lines.push(entry.text);
        abort.abort();
      }
    },
    { reason: 'CANCELED' },
  );
  assert.deepEqual(lines, ['line 1']);
});
