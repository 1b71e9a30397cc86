import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { EngineError } from '#src/errors/index.js';
import { runChild } from '#src/os/index.js';
import { tempDir } from '#support/roots.js';

const env = { PATH: '/usr/bin:/bin' };
const sh = (script: string) => ({ file: '/bin/sh', args: ['-c', script], env });
const reason = (wanted: string) => (error: unknown) => EngineError.is(error, undefined, wanted);
const openFds = () => readdirSync('/proc/self/fd').length;

/** A command that leaves a process behind which holds its output; that one is ended after the test. */
function withGrandchild(t: TestContext, before: string) {
  const file = join(tempDir(t), 'pid');
  t.after(() => {
    if (existsSync(file)) process.kill(Number(readFileSync(file, 'utf8')), 'SIGKILL');
  });
  return { file: '/bin/sh', args: ['-c', `${before}\nsleep 60 & echo $! >"$0"; wait`, file], env };
}

async function quickly(work: Promise<unknown>): Promise<void> {
  const startedAt = performance.now();
  await work;
  assert.ok(performance.now() - startedAt < 5_000, 'it waited for what it had killed');
}

describe('runChild', () => {
  it('collects output and exit', async () => {
    const result = await runChild(sh('echo out; echo err >&2; exit 4'));
    assert.deepEqual(result, { code: 4, signal: null, stdout: 'out\n', stderr: 'err\n' });
  });

  it('joins a character that two chunks share', async () => {
    const result = await runChild(sh("printf '\\303'; sleep 0.02; printf '\\274'"));
    assert.equal(result.stdout, 'ü');
  });

  it('gives the input, then end of file', async () => {
    assert.equal((await runChild({ ...sh('cat'), input: 'text' })).stdout, 'text');
    assert.equal((await runChild({ ...sh('cat'), input: '' })).stdout, '');
    assert.equal((await runChild({ ...sh('wc -c'), input: Buffer.alloc(1 << 20) })).stdout.trim(), String(1 << 20));
    assert.equal((await runChild({ ...sh('exit 0'), input: 'x'.repeat(1 << 20) })).code, 0, 'nobody reads it');
    assert.equal((await runChild(sh('cat'))).stdout, '', 'without input stdin is empty');
  });

  it('ends a child that says too much, also while a grandchild holds the output', async (t) => {
    const limited = (script: string) => runChild({ ...sh(script), maxOutputBytes: 1000 });
    assert.equal((await limited('head -c 1000 /dev/zero')).stdout.length, 1000, 'the limit itself is allowed');
    await quickly(assert.rejects(limited('yes'), reason('TOOL_FAILED')));
    await quickly(assert.rejects(limited('yes >&2'), reason('TOOL_FAILED')));
    const left = runChild({ ...withGrandchild(t, 'head -c 2000 /dev/zero; sleep 0.05'), maxOutputBytes: 1000 });
    await quickly(assert.rejects(left, reason('TOOL_FAILED')));
  });

  it('ends when the signal says so, also while a grandchild holds the output', async (t) => {
    await assert.rejects(runChild(sh('true'), { signal: AbortSignal.abort() }), reason('CANCELED'));
    for (const request of [sh('exec sleep 60'), withGrandchild(t, 'echo started')]) {
      const controller = new AbortController();
      const running = runChild(request, { signal: controller.signal });
      setTimeout(() => controller.abort(), 100);
      await quickly(assert.rejects(running, reason('CANCELED')));
    }
  });

  it('ends at its time limit', async (t) => {
    await quickly(assert.rejects(runChild({ ...sh('exec sleep 60'), timeoutMs: 50 }), reason('TIMED_OUT')));
    const stubborn = withGrandchild(t, "trap '' TERM");
    await quickly(assert.rejects(runChild({ ...stubborn, timeoutMs: 100 }), reason('TIMED_OUT')));
    const { signal } = new AbortController();
    assert.equal((await runChild({ ...sh('exit 3'), timeoutMs: 5_000 }, { signal })).code, 3);
  });

  it('throws when there is nothing to start, and leaves nothing open', async () => {
    const before = openFds();
    await assert.rejects(runChild({ file: '/no/such', args: [], input: 'x' }), reason('SYSCALL_FAILED'));
    assert.equal(openFds(), before);
  });
});
