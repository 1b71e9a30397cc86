import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { REASONS } from '#src/errors/index.js';
import { PROJECT, readSources } from '#support/project.js';

const users = readSources().filter((source) => !source.path.startsWith('errors/reasons/'));

describe('reasons', () => {
  it('are all in the table', () => {
    const wrong: string[] = [];
    for (const source of users) {
      for (const [, reason = ''] of source.code.matchAll(/\bengineError\(\s*'([^']+)'/g)) {
        if (!Object.hasOwn(REASONS, reason)) wrong.push(`${source.path}: ${reason}`);
      }
    }
    assert.deepEqual(wrong, []);
  });

  it('are all thrown somewhere', () => {
    const code = users.map((source) => source.code).join('\n');
    assert.deepEqual(
      Object.keys(REASONS).filter((reason) => !code.includes(`'${reason}'`)),
      [],
    );
  });

  it('are each in one table', () => {
    const keys = readSources()
      .filter((source) => source.path.startsWith('errors/reasons/'))
      .flatMap((source) => [...source.code.matchAll(/^ {2}([A-Z][A-Z0-9_]+): \{/gm)].map((match) => match[1]));
    assert.deepEqual(
      keys.filter((key, index) => keys.indexOf(key) !== index),
      [],
    );
    assert.equal(keys.length, Object.keys(REASONS).length);
  });

  it('have a remedy that is one clause', () => {
    for (const [reason, { remedy }] of Object.entries(REASONS)) {
      assert.match(remedy, /^\S.*[^.\s]$/, reason);
      assert.ok(
        !/[A-Z]/.test(remedy[0] ?? ''),
        `${reason}: the remedy goes on after a colon, so it starts in lower case`,
      );
    }
  });

  it('are what docs/errors.md says', async () => {
    const url = pathToFileURL(join(PROJECT, 'scripts/lib/errors-doc.mjs')).href;
    const { renderErrorsDoc } = (await import(url)) as { renderErrorsDoc(reasons: unknown): string };
    const written = readFileSync(join(PROJECT, 'docs/errors.md'), 'utf8');
    assert.equal(written, renderErrorsDoc(REASONS), 'run npm run api to write docs/errors.md anew');
  });
});
