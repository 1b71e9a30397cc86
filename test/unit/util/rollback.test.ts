import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Rollback } from '#src/util/rollback.js';

describe('Rollback', () => {
  it('undoes in reverse order, one after the other', async () => {
    const done: string[] = [];
    const undo = new Rollback();
    undo.defer(() => done.push('first'));
    undo.defer(async () => {
      await new Promise(setImmediate);
      done.push('second');
    });
    await undo.run();
    assert.deepEqual(done, ['second', 'first']);
    await undo.run();
    assert.deepEqual(done, ['second', 'first'], 'each step runs once');
  });

  it('goes on after a step that throws or rejects, and keeps the failures', async () => {
    const done: string[] = [];
    const undo = new Rollback();
    undo.defer(() => done.push('last'));
    undo.defer(() => Promise.reject(new Error('b')));
    undo.defer(() => {
      throw new Error('a');
    });
    await undo.run();
    assert.deepEqual(done, ['last']);
    assert.deepEqual(undo.failures.map(String), ['Error: a', 'Error: b']);
  });

  it('does nothing once disarmed, but takes new steps', async () => {
    const done: string[] = [];
    const undo = new Rollback();
    undo.defer(() => done.push('old'));
    undo.disarm();
    undo.defer(() => done.push('new'));
    await undo[Symbol.asyncDispose]();
    assert.deepEqual(done, ['new']);
  });

  it('runs a step that an undo step registers', async () => {
    const done: string[] = [];
    const undo = new Rollback();
    undo.defer(() => undo.defer(() => done.push('inner')));
    await undo.run();
    assert.deepEqual(done, ['inner']);
  });

  it('runs at the end of an await using block, not when it was disarmed', async () => {
    const done: string[] = [];
    const work = async (succeed: boolean) => {
      await using undo = new Rollback();
      undo.defer(() => done.push('undone'));
      if (!succeed) throw new Error('work failed');
      undo.disarm();
    };
    await work(true);
    assert.deepEqual(done, []);
    await assert.rejects(work(false), /work failed/);
    assert.deepEqual(done, ['undone']);
  });
});
