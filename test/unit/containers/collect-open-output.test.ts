import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { describe, it } from 'node:test';
import { collectProcess } from '#src/containers/process/collect.js';
import type { RunningProcess } from '#src/containers/process/running-process.js';

/** A process that ended while another one still has its output open. */
function withOpenOutput(): { process: RunningProcess; stdout: PassThrough } {
  const stdout = new PassThrough();
  const process: RunningProcess = {
    stdin: undefined,
    stdout,
    stderr: new PassThrough().end(),
    exit: Promise.resolve({ exitCode: 4 }),
    kill: () => false,
    resize() {},
  };
  return { process, stdout };
}

describe('collecting the output of a process', () => {
  it('ends when the process has ended and nothing comes any more', async () => {
    const { process, stdout } = withOpenOutput();
    stdout.write('first ');
    setTimeout(() => stdout.write('second'), 30);
    const result = await collectProcess(process, {}, () => assert.fail('killed'));
    assert.deepEqual([result.exitCode, result.stdout], [4, 'first second']);
    assert.equal(stdout.destroyed, true);
  });

  it('ends a second later when what was left behind never falls silent', async () => {
    const { process, stdout } = withOpenOutput();
    const chatter = setInterval(() => stdout.write('x'), 10);
    stdout.on('close', () => clearInterval(chatter));
    const result = await collectProcess(process, {}, () => assert.fail('killed'));
    assert.equal(result.exitCode, 4);
    assert.ok(result.stdout.length > 10 && result.durationMs < 3000);
  });
});
