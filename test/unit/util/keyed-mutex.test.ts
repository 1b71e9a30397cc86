import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EngineError } from '#src/errors/index.js';
import { KeyedMutex } from '#src/util/keyed-mutex.js';
import { deadline } from '#support/deadline.js';

function gate(): { opened: Promise<void>; open: () => void } {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

const settle = () => new Promise(setImmediate);

describe('KeyedMutex', () => {
  it('lets one in at a time, in the order they came', async () => {
    const mutex = new KeyedMutex();
    let inside = 0;
    let most = 0;
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        mutex.run('k', async () => {
          most = Math.max(most, ++inside);
          order.push(n);
          if (n % 3 === 0) await settle();
          inside--;
        }),
      ),
    );
    assert.equal(most, 1);
    assert.deepEqual(
      order,
      Array.from({ length: 50 }, (_, n) => n),
    );
  });

  it('keeps different keys apart, __proto__ too', async () => {
    const mutex = new KeyedMutex();
    const a = gate();
    const held = mutex.run('a', () => a.opened);
    assert.equal(await mutex.run('__proto__', async () => 'other'), 'other');
    a.open();
    await held;
  });

  it('passes the result and the failure on, and goes on after a failure', async () => {
    const mutex = new KeyedMutex();
    const failed = mutex.run('k', () => Promise.reject(new Error('work failed')));
    const next = mutex.run('k', async () => 5);
    await assert.rejects(failed, /work failed/);
    assert.equal(await next, 5);
    await assert.rejects(
      mutex.run('k', () => {
        throw new Error('at once');
      }),
      /at once/,
    );
    assert.equal(await mutex.run('k', async () => 6), 6);
  });

  it('lets an aborted waiter leave without running, and nobody in beside the holder', async () => {
    const mutex = new KeyedMutex();
    const held = gate();
    const log: string[] = [];
    const first = mutex.run('k', async () => {
      await held.opened;
      log.push('first done');
    });
    const controller = new AbortController();
    const second = mutex.run('k', async () => log.push('second ran'), { signal: controller.signal });
    controller.abort();
    await assert.rejects(second, (error) => EngineError.is(error, 'CANCELED'));
    // The one that left was the last of the queue: a newcomer must still wait for the holder.
    const third = mutex.run('k', async () => log.push('third ran'));
    await settle();
    assert.deepEqual(log, []);
    held.open();
    await Promise.all([first, third]);
    assert.deepEqual(log, ['first done', 'third ran']);
  });

  it('keeps the order when one in the middle leaves', async () => {
    const mutex = new KeyedMutex();
    const held = gate();
    const order: string[] = [];
    const work = (name: string) => async () => {
      order.push(name);
    };
    const all = [mutex.run('k', () => held.opened), mutex.run('k', work('b'))];
    const leaving = mutex.run('k', work('leaves'), { signal: deadline(5) });
    all.push(mutex.run('k', work('d')));
    await assert.rejects(leaving, (error) => EngineError.is(error, 'DEADLINE_EXCEEDED'));
    held.open();
    await Promise.all(all);
    assert.deepEqual(order, ['b', 'd']);
  });

  it('forgets a key when nobody holds it', async () => {
    const mutex = new KeyedMutex();
    await Promise.all(['a', 'b', 'a'].map((key) => mutex.run(key, settle)));
    await settle();
    assert.equal(mutex.size, 0);
  });
});
