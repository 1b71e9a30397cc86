import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { PROJECT } from '#support/project.js';
import { tempDir } from '#support/roots.js';
import { run } from '#support/run.js';

interface Verdict {
  objectionToSkip(
    reason: string | undefined,
    host: { isRoot: boolean; missing: { name: string }[] },
  ): string | undefined;
  readResults(files: string[]): { pass: number; fail: number; skipped: { reason?: string }[]; todo: unknown[] };
}

const verdict = (await import(pathToFileURL(join(PROJECT, 'scripts/lib/verdict.mjs')).href)) as Verdict;

describe('the verdict on skipped tests', () => {
  const root = { isRoot: true, missing: [] };

  it('objects to a skip without a reason, or with one of another form', () => {
    assert.match(verdict.objectionToSkip(undefined, root) ?? '', /missing: <what>/);
    assert.match(verdict.objectionToSkip('flaky', root) ?? '', /missing: <what>/);
  });

  it('objects when the missing thing is here', () => {
    assert.equal(verdict.objectionToSkip('missing: root', root), 'we are root');
    assert.equal(verdict.objectionToSkip('missing: umoci', root), 'umoci is installed');
  });

  it('accepts what can’t be had', () => {
    assert.equal(verdict.objectionToSkip('missing: root', { isRoot: false, missing: [] }), undefined);
    assert.equal(verdict.objectionToSkip('missing: umoci', { isRoot: true, missing: [{ name: 'umoci' }] }), undefined);
    assert.equal(verdict.objectionToSkip('missing: cgroup v2', root), undefined);
  });

  it('counts what the runner ran', async (t) => {
    const dir = tempDir(t);
    const file = join(dir, 'x.test.mjs');
    writeFileSync(
      file,
      `import { describe, it } from 'node:test';
       describe('group', () => {
         it('passes', () => {});
         it('fails', () => { throw new Error('x'); });
         it('skips', (t) => t.skip('missing: moon'));
         it('waits', { todo: 'later' }, () => {});
       });`,
    );
    const out = join(dir, 'out');
    const reporter = join(PROJECT, 'scripts/lib/skip-reporter.mjs');
    const args = ['--test', `--test-reporter=${reporter}`, `--test-reporter-destination=${out}`, file];
    // The variable tells a runner that it is inside another one; this run is to be on its own.
    await run(process.execPath, args, { unsetEnv: ['NODE_TEST_CONTEXT'] });
    const results = verdict.readResults([out]);
    assert.equal(results.pass, 1);
    assert.equal(results.fail, 1);
    assert.deepEqual(
      results.skipped.map((row) => row.reason),
      ['missing: moon'],
    );
    assert.equal(results.todo.length, 1);
  });
});
