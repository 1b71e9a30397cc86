import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { EngineError } from '#src/errors/index.js';
import { runTool, SYSTEM_ENV } from '#src/os/index.js';
import { tempDir } from '#support/roots.js';

const sh = (script: string, options = {}) => runTool('/bin/sh', ['-c', script], options);

async function failure(work: Promise<unknown>, reason: string): Promise<EngineError> {
  const startedAt = performance.now();
  const error: unknown = await work.then(
    () => assert.fail(`expected ${reason}`),
    (thrown: unknown) => thrown,
  );
  assert.ok(EngineError.is(error, undefined, reason), String(error));
  assert.ok(performance.now() - startedAt < 8_000, 'it waited for what it had killed');
  return error;
}

describe('runTool', () => {
  it('gives output and exit, whatever the status is', async () => {
    assert.deepEqual(await sh('echo out; echo err >&2; exit 4'), {
      code: 4,
      signal: null,
      stdout: 'out\n',
      stderr: 'err\n',
    });
    assert.deepEqual(await sh('kill -KILL $$'), { code: null, signal: 9, stdout: '', stderr: '' });
  });

  it('gives the environment of the system and an empty stdin', async () => {
    const { stdout } = await runTool('/usr/bin/env', []);
    assert.deepEqual(
      stdout.trim().split('\n').sort(),
      Object.entries(SYSTEM_ENV)
        .map(([k, v]) => `${k}=${v}`)
        .sort(),
    );
    assert.equal((await runTool('/usr/bin/env', [], { env: { ONE: '1' } })).stdout, 'ONE=1\n');
    assert.equal((await sh('cat')).stdout, '');
  });

  it('names what is missing', async (t) => {
    const missing = await failure(runTool('/no/such/tool', ['--version']), 'TOOL_MISSING');
    assert.deepEqual(missing.details['argv'], ['/no/such/tool', '--version']);
    const path = join(tempDir(t), 'tool');
    writeFileSync(path, '#!/bin/sh\n', { mode: 0o644 });
    assert.equal((await failure(runTool(path, []), 'TOOL_FAILED')).details['errno'], 'EACCES');
  });

  it('ends a tool that takes too long, one that ignores SIGTERM too', async () => {
    assert.equal((await failure(sh('exec sleep 20', { timeoutMs: 50 }), 'TIMED_OUT')).code, 'DEADLINE_EXCEEDED');
    const stubborn = "trap '' TERM; echo asked >&2; while :; do sleep 0.05; done";
    const error = await failure(sh(stubborn, { timeoutMs: 100 }), 'TIMED_OUT');
    assert.equal(error.details['stderr'], 'asked\n');
  });

  it('ends a tool that says too much', async () => {
    const error = await failure(sh('yes', { maxOutputBytes: 1000 }), 'TOOL_FAILED');
    assert.match(error.message, /1000 bytes/);
  });

  it('ends with the signal of the call', async () => {
    await failure(sh('true', { signal: AbortSignal.abort() }), 'CANCELED');
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 50);
    await failure(sh('exec sleep 20', { signal: controller.signal }), 'CANCELED');
  });

  it('puts no listener into the host process', async () => {
    const count = () =>
      process
        .eventNames()
        .map((name) => `${String(name)} ${process.listenerCount(name)}`)
        .sort();
    const before = count();
    const running = sh('sleep 0.1');
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual(count(), before);
    await running;
    assert.deepEqual(count(), before);
  });

  it('loads its library at the first call only', (t) => {
    const dir = tempDir(t);
    mkdirSync(join(dir, 'x'));
    const source = readFileSync(new URL(import.meta.resolve('#src/os/run-tool.js')), 'utf8');
    assert.ok(!/^import .*execa/m.test(source));
  });
});
