import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, it } from 'node:test';
import { EngineError } from '#src/errors/index.js';
import { abortError, cleanupSignal, raceSignal, sleep, throwIfAborted } from '#src/util/signals.js';
import { deadline } from '#support/deadline.js';
import { PROJECT } from '#support/project.js';
import { run } from '#support/run.js';

const never = new Promise<never>(() => {});
const is = (code: 'CANCELED' | 'DEADLINE_EXCEEDED') => (error: unknown) => EngineError.is(error, code);

describe('abortError', () => {
  it('tells a time limit from a cancel and keeps the cause', () => {
    const why = new Error('user left');
    const canceled = abortError(AbortSignal.abort(why)) as EngineError;
    assert.equal(canceled.reason, 'CANCELED');
    assert.equal(canceled.cause, why);
    const late = abortError(AbortSignal.abort(new DOMException('late', 'TimeoutError'))) as EngineError;
    assert.equal(late.reason, 'TIMED_OUT');
    assert.equal((abortError(AbortSignal.abort('just a word')) as EngineError).cause, 'just a word');
  });
});

describe('throwIfAborted', () => {
  it('throws only for an aborted signal', () => {
    throwIfAborted(undefined);
    throwIfAborted(new AbortController().signal);
    assert.throws(() => throwIfAborted(AbortSignal.abort()), is('CANCELED'));
  });
});

describe('one signal for many calls', () => {
  it('makes Node warn of no leak', async () => {
    const warnings: Error[] = [];
    const note = (warning: Error): number => warnings.push(warning);
    process.on('warning', note);
    const controller = new AbortController();
    const calls = Array.from({ length: 30 }, () => raceSignal(never, controller.signal));
    const waits = Array.from({ length: 30 }, () => sleep(60_000, { signal: controller.signal }));
    await new Promise(setImmediate);
    controller.abort();
    for (const call of [...calls, ...waits]) await assert.rejects(call, is('CANCELED'));
    process.off('warning', note);
    assert.deepEqual(warnings, []);
  });
});

describe('raceSignal', () => {
  it('settles as the promise does and leaves no listener', async () => {
    const { signal } = new AbortController();
    assert.equal(await raceSignal(Promise.resolve(7), signal), 7);
    await assert.rejects(raceSignal(Promise.reject(new Error('own')), signal), /own/);
    await new Promise(setImmediate);
    assert.equal(getEventListeners(signal, 'abort').length, 0);
    assert.equal(await raceSignal(Promise.resolve(8), undefined), 8);
  });

  it('rejects at once when aborted, before or during the wait', async () => {
    await assert.rejects(raceSignal(never, AbortSignal.abort()), is('CANCELED'));
    await assert.rejects(raceSignal(never, deadline(5)), is('DEADLINE_EXCEEDED'));
    const controller = new AbortController();
    const race = raceSignal(never, controller.signal);
    controller.abort();
    await assert.rejects(race, is('CANCELED'));
  });

  it('swallows the late failure of a promise that nobody waits for any more', async (t) => {
    const unhandled: unknown[] = [];
    const note = (error: unknown) => unhandled.push(error);
    process.on('unhandledRejection', note);
    t.after(() => process.off('unhandledRejection', note));
    for (const signal of [AbortSignal.abort(), deadline(2)]) {
      const late = new Promise((_, reject) => setTimeout(() => reject(new Error('late')), 10));
      await assert.rejects(raceSignal(late, signal), EngineError);
    }
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.deepEqual(unhandled, []);
  });
});

describe('sleep', () => {
  it('waits, and ends early with the error of its signal', async () => {
    const startedAt = performance.now();
    await sleep(20, { keepAlive: true });
    assert.ok(performance.now() - startedAt >= 19);
    await assert.rejects(sleep(60_000, { signal: AbortSignal.abort() }), is('CANCELED'));
    const controller = new AbortController();
    const waiting = sleep(60_000, { signal: controller.signal });
    controller.abort();
    await assert.rejects(waiting, is('CANCELED'));
    const { signal } = new AbortController();
    await sleep(1, { signal, keepAlive: true });
    assert.equal(getEventListeners(signal, 'abort').length, 0);
  });

  it('does not keep the process alive unless told to', async () => {
    const code = (options: string) =>
      `import { sleep } from ${JSON.stringify(`${PROJECT}/dist/util/signals.js`)};
       sleep(100, ${options}).then(() => console.log('woke'));`;
    const script = (options: string) => run(process.execPath, ['--input-type=module', '-e', code(options)]);
    assert.equal((await script('{}')).stdout, '');
    assert.equal((await script('{ keepAlive: true }')).stdout, 'woke\n');
  });
});

describe('cleanupSignal', () => {
  it('ends by itself', async () => {
    const signal = cleanupSignal(5);
    assert.equal(signal.aborted, false);
    // Its own timer is unref'd.
    await assert.rejects(sleep(5000, { signal, keepAlive: true }), is('DEADLINE_EXCEEDED'));
  });
});
