import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { EngineError } from '#src/errors/index.js';
import { NameIndex } from '#src/state/index.js';

const worker = new URL('lock-worker.js', import.meta.url).pathname;

test('six processes claim names whose holders are gone: each name goes to exactly one', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'caisson-names-'));
  try {
    const names = new NameIndex({ dir: join(dir, 'names') });
    const rounds = 60;
    for (let i = 1; i <= rounds; i++) names.claim(`n${i}`, `dead${i}`, () => true, { durable: false });
    mkdirSync(join(dir, 'records'));
    const children = Array.from({ length: 6 }, (_, i) =>
      spawn(process.execPath, [worker, 'claim', dir, 'flock', `w${i}`, String(rounds)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      }),
    );
    const outputs = children.map(async (child) => {
      let text = '';
      child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      await once(child, 'close');
      return text.split('\n').filter((line) => line !== '');
    });
    // All are up before the first claims.
    while (!children.every((_, i) => existsSync(join(dir, `ready.w${i}`)))) await new Promise((r) => setTimeout(r, 5));
    writeFileSync(join(dir, 'go'), '');
    const won = (await Promise.all(outputs)).flat();
    assert.equal(won.length, rounds, 'every name has one winner');
    for (const line of won) {
      const [name = '', id = ''] = line.split(' ');
      assert.equal(names.find(name), id, 'the winner still has it');
      assert.throws(
        () => names.claim(name, 'late', () => true),
        (error) => EngineError.is(error, 'ALREADY_EXISTS', 'NAME_TAKEN') && error.details['holder'] === id,
      );
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
