import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { RecordStore } from '#src/state/index.js';

const worker = new URL('lock-worker.js', import.meta.url).pathname;

/** System calls of one durable write in their order; a kill at one of them leaves what the ones before it did. */
const STEPS = {
  update: ['fchmod', 'fsync', 'rename'],
  create: ['mkdir', 'fchmod', 'fsync', 'link', 'unlink'],
} as const;

for (const mode of ['update', 'create'] as const) {
  test(`${mode}: killed at any step, a reader finds the old or the new record and nothing else`, async () => {
    for (const call of STEPS[mode]) {
      for (const when of [2, 3]) await killAt(mode, call, when);
    }
  });
}

/** Runs a writer that dies at the n-th such system call, and compares what is readable with what it acknowledged. */
async function killAt(mode: keyof typeof STEPS, call: string, when: number): Promise<void> {
  const what = `${mode} killed at ${call} ${when}`;
  const dir = mkdtempSync(join(tmpdir(), 'caisson-kill-'));
  try {
    const parse = (value: unknown) => value as { n: number };
    const store = new RecordStore({ dir: join(dir, 'records'), kind: 'box', schemaVersion: 1, parse, durable: false });
    store.create('counter', { n: 0 });
    const inject = ['-f', '-qq', '-e', `trace=${call}`, '-e', `inject=${call}:signal=KILL:when=${when}`];
    const args = [...inject, '-o', '/dev/null', process.execPath, worker, mode, dir, 'flock', 'w', '4'];
    const child = spawn('strace', args, { stdio: ['ignore', 'pipe', 'ignore'] });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    await once(child, 'close');
    const acknowledged = output
      .split('\n')
      .filter((line) => line !== '')
      .map(Number);
    assert.ok(acknowledged.length < 4, `${what}: it was not killed`);
    const done = acknowledged.at(-1) ?? 0;

    const { records, problems } = store.list();
    assert.deepEqual(problems, [], what);
    if (mode === 'update') {
      const { n } = records.get('counter') ?? { n: -1 };
      assert.ok(n === done || n === done + 1, `${what}: ${n} on disk, ${done} acknowledged`);
      store.write('counter', { n: 99 });
    } else {
      for (let i = 1; i <= done; i++) assert.deepEqual(records.get(`id${i}`), { n: i }, what);
      for (const [id, { n }] of records) assert.ok(id === 'counter' || (id === `id${n}` && n <= done + 1), what);
      // What it left half-made is no obstacle for the next one.
      if (!records.has(`id${done + 1}`)) store.create(`id${done + 1}`, { n: done + 1 });
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
