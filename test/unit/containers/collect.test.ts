import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { describe, it } from 'node:test';
import { type CollectOptions, collectProcess } from '#src/containers/process/collect.js';
import type { RunningProcess } from '#src/containers/process/running-process.js';
import { EngineError } from '#src/errors/index.js';
import { exitStatus } from '#src/os/index.js';
import { spawnChild } from '#src/os/spawn.js';

/** A real process with the face that one in a container has. */
async function collect(script: string, options: CollectOptions = {}) {
  const child = spawnChild({
    file: '/bin/sh',
    args: ['-c', script],
    env: { PATH: '/usr/bin:/bin' },
    stdin: options.input === undefined ? 'null' : 'pipe',
  });
  const process: RunningProcess = {
    stdin: child.stdin,
    stdout: child.stdout as Readable,
    stderr: child.stderr as Readable,
    exit: child.exit.then((exit) => ({ exitCode: exitStatus(exit) })),
    kill: child.kill,
    resize: () => {},
  };
  return collectProcess(process, options, () => child.kill('SIGKILL'));
}

async function failure(work: Promise<unknown>, reason: string): Promise<EngineError> {
  const error: unknown = await work.then(
    () => assert.fail(`expected ${reason}`),
    (thrown: unknown) => thrown,
  );
  assert.ok(EngineError.is(error, undefined, reason), String(error));
  return error;
}

describe('collecting a process', () => {
  it('gives text, bytes, exit code and time', async () => {
    const result = await collect("printf 'ü\\377'; echo err >&2; exit 3");
    assert.equal(result.exitCode, 3);
    assert.deepEqual([...result.stdoutBytes], [0xc3, 0xbc, 0xff]);
    assert.equal(result.stdout, 'ü\ufffd');
    assert.equal(result.stderr, 'err\n');
    assert.ok(result.durationMs > 0 && result.durationMs < 10_000);
  });

  it('joins a character that two chunks share', async () => {
    assert.equal((await collect("printf '\\303'; sleep 0.03; printf '\\274'")).stdout, 'ü');
  });

  it('feeds text, bytes or a stream, then end of file', async () => {
    assert.equal((await collect('cat', { input: 'täxt' })).stdout, 'täxt');
    assert.equal((await collect('cat', { input: Buffer.from('bytes') })).stdout, 'bytes');
    assert.equal((await collect('cat', { input: Readable.from(['a', 'b']) })).stdout, 'ab');
    assert.equal((await collect('cat', { input: '' })).stdout, '');
    assert.equal((await collect('exit 2', { input: 'x'.repeat(1 << 20) })).exitCode, 2, 'nobody reads it');
  });

  it('ends the process when the input stream fails, before or while it is read', { timeout: 20_000 }, async () => {
    const cause = new Error('disk gone');
    const torn = new PassThrough();
    torn.write('first part');
    setTimeout(() => torn.destroy(cause), 30);
    assert.equal((await failure(collect('exec cat', { input: torn }), 'INPUT_FAILED')).cause, cause);
    const closed = new PassThrough();
    closed.destroy();
    await failure(collect('exec cat', { input: closed }), 'INPUT_FAILED');
  });

  it('limits the output, and says which stream it was', async () => {
    assert.equal((await collect('head -c 1000 /dev/zero', { maxOutputBytes: 1000 })).stdoutBytes.length, 1000);
    const error = await failure(collect('exec yes', { maxOutputBytes: 1000 }), 'OUTPUT_TOO_LARGE');
    assert.equal(error.details['stream'], 'stdout');
    assert.equal(error.details['maxOutputBytes'], 1000);
    assert.equal(
      (await failure(collect('exec yes >&2', { maxOutputBytes: 1 }), 'OUTPUT_TOO_LARGE')).details['stream'],
      'stderr',
    );
  });

  it('ends at the time limit with what was said until then', async () => {
    const error = await failure(collect('echo so far; echo bad >&2; exec sleep 60', { timeoutMs: 150 }), 'TIMED_OUT');
    assert.equal(error.code, 'DEADLINE_EXCEEDED');
    assert.equal(error.details['timeoutMs'], 150);
    assert.equal(error.details['stdoutTail'], 'so far\n');
    assert.equal(error.details['stderrTail'], 'bad\n');
  });

  it('ends with the signal of the call and leaves no listener', async () => {
    await failure(collect('exec sleep 60', { signal: AbortSignal.abort() }), 'CANCELED');
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 50);
    await failure(collect('exec sleep 60', { signal: controller.signal }), 'CANCELED');
    const { signal } = new AbortController();
    await collect('true', { signal });
    assert.equal(getEventListeners(signal, 'abort').length, 0);
  });

  it('throws for a bad exit code only when asked to', async () => {
    assert.equal((await collect('exit 9')).exitCode, 9);
    assert.equal((await collect('exit 0', { check: true })).exitCode, 0);
    const error = await failure(collect('yes | head -c 5000; echo why >&2; exit 9', { check: true }), 'NON_ZERO_EXIT');
    assert.equal(error.details['exitCode'], 9);
    assert.equal(error.details['stderrTail'], 'why\n');
    assert.equal(String(error.details['stdoutTail']).length, 2000);
  });

  it('passes on why the process could not be started', async () => {
    const process: RunningProcess = {
      stdin: undefined,
      stdout: Readable.from([]),
      stderr: Readable.from([]),
      exit: Promise.reject(new Error('runtime said no')),
      kill: () => false,
      resize: () => {},
    };
    await assert.rejects(
      collectProcess(process, {}, () => {}),
      /runtime said no/,
    );
  });
});
