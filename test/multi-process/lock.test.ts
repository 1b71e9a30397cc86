import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { EngineError } from '#src/errors/index.js';
import { FileLock, RecordStore } from '#src/state/index.js';

const worker = new URL('lock-worker.js', import.meta.url).pathname;
const made: string[] = [];
after(() => {
  for (const dir of made) rmSync(dir, { recursive: true, force: true });
});

function scratch(): string {
  const dir = mkdtempSync(join(tmpdir(), 'caisson-lock-'));
  made.push(dir);
  return dir;
}

function counters(dir: string): RecordStore<Record<string, number>> {
  const parse = (value: unknown) => value as Record<string, number>;
  return new RecordStore({ dir: join(dir, 'records'), kind: 'counter', schemaVersion: 1, parse, durable: false });
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function run(...args: string[]): ChildProcess {
  return spawn(process.execPath, [worker, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
}

async function holding(dir: string, method: string): Promise<ChildProcess> {
  const child = run('hold', dir, method);
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  return child;
}

for (const method of ['flock', 'lockfile'] as const) {
  test(`${method}: eight processes, some stopped and some killed: never two holders, no lost update`, async () => {
    const dir = scratch();
    const store = counters(dir);
    store.create('counter', {});
    const rounds = 40;
    const children = Array.from({ length: 8 }, (_, i) => run('count', dir, method, `w${i}`, String(rounds)));
    const exits = children.map((child) => once(child, 'exit'));
    // Stops long enough for others to pass, kills wherever they happen to hit.
    for (let i = 0; i < 6; i++) {
      await pause(60);
      children[i % 3]?.kill('SIGSTOP');
      await pause(40);
      children[i % 3]?.kill('SIGCONT');
      if (i >= 4) children[i]?.kill('SIGKILL');
    }
    const results = await Promise.all(exits);
    assert.equal(existsSync(join(dir, 'two-holders')), false, 'two processes held the lock at once');
    const counts = store.read('counter');
    for (let i = 0; i < 8; i++) {
      const killed = results[i]?.[1] === 'SIGKILL';
      const ackFile = join(dir, `ack.w${i}`);
      const acknowledged = existsSync(ackFile) ? Number(readFileSync(ackFile, 'utf8')) : 0;
      const counted = counts[`w${i}`] ?? 0;
      if (!killed) assert.equal(acknowledged, rounds, `w${i} did not finish`);
      const fits = counted === acknowledged || (killed && counted === acknowledged + 1);
      assert.ok(fits, `w${i}: ${counted} counted, ${acknowledged} acknowledged`);
    }
  });

  test(`${method}: the next taker has the lock within 100 ms of the holder's SIGKILL`, async () => {
    const dir = scratch();
    const times: number[] = [];
    for (let i = 0; i < 3; i++) {
      const child = await holding(dir, method);
      const waiting = FileLock.acquire(join(dir, 'lock'), { method });
      await pause(60);
      const start = performance.now();
      child.kill('SIGKILL');
      (await waiting).release();
      times.push(performance.now() - start);
    }
    assert.ok(Math.min(...times) < 100, `${times} ms`);
    assert.ok(Math.max(...times) < 500, `${times} ms`);
  });

  test(`${method}: a stopped holder keeps the lock, and is named`, async (t) => {
    const dir = scratch();
    const child = await holding(dir, method);
    t.after(() => child.kill('SIGKILL'));
    child.kill('SIGSTOP');
    if (method === 'lockfile') {
      // As if it had been stopped for an hour.
      const longAgo = new Date(Date.now() - 3_600_000);
      utimesSync(join(dir, 'lock.lock'), longAgo, longAgo);
    }
    await assert.rejects(FileLock.acquire(join(dir, 'lock'), { method, timeoutMs: 150 }), (error) => {
      assert.ok(EngineError.is(error, 'DEADLINE_EXCEEDED', 'LOCK_TIMEOUT'));
      assert.equal((error.details.holder as { pid: number }).pid, child.pid);
      return true;
    });
    child.kill('SIGCONT');
    await pause(50);
    assert.equal(child.exitCode, null, 'the holder survived being stopped');
  });
}

test('where the kernel says that flock is not there, the lock directory is used', async () => {
  const dir = scratch();
  counters(dir).create('counter', {});
  const inject = ['-f', '-qq', '-e', 'trace=flock', '-e', 'inject=flock:error=ENOLCK', '-o', '/dev/null'];
  const args = [...inject, process.execPath, worker, 'count', dir, 'auto', 'w0', '3'];
  const [code] = await once(spawn('strace', args, { stdio: 'inherit' }), 'exit');
  assert.equal(code, 0);
  assert.deepEqual(counters(dir).read('counter'), { w0: 3 });
  assert.deepEqual(readdirSync(dir).sort(), ['ack.w0', 'lock', 'records']);
});
