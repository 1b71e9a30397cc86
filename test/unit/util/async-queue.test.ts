import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AsyncQueue } from '#src/util/async-queue.js';

async function take<T>(queue: AsyncQueue<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of queue) items.push(item);
  return items;
}

describe('AsyncQueue', () => {
  it('gives what was pushed before and while somebody waits, then ends', async () => {
    const queue = new AsyncQueue<number>();
    queue.push(1);
    queue.push(2);
    assert.equal(queue.size, 2);
    const taken = take(queue);
    await new Promise(setImmediate);
    queue.push(3);
    queue.end();
    queue.push(4);
    assert.deepEqual(await taken, [1, 2, 3]);
  });

  it('carries undefined and other empty values', async () => {
    const queue = new AsyncQueue<unknown>();
    for (const value of [undefined, null, 0, '']) queue.push(value);
    queue.end();
    assert.deepEqual(await take(queue), [undefined, null, 0, '']);
  });

  it('fails after the queued items, once', async () => {
    const queue = new AsyncQueue<number>();
    queue.push(1);
    queue.end(new Error('torn'));
    queue.end(new Error('ignored'));
    assert.deepEqual(await queue.next(), { value: 1, done: false });
    await assert.rejects(queue.next(), /torn/);
    assert.equal((await queue.next()).done, true);
  });

  it('fails one that waits, once', async () => {
    const queue = new AsyncQueue<number>();
    const waiting = queue.next();
    queue.end(new Error('torn'));
    await assert.rejects(waiting, /torn/);
    assert.equal((await queue.next()).done, true);
  });

  it('tells its source once when the reader leaves, and drops the rest', async () => {
    let returned = 0;
    const queue = new AsyncQueue<number>(() => returned++);
    queue.push(1);
    queue.push(2);
    for await (const _ of queue) break;
    await queue.return();
    assert.equal(returned, 1);
    assert.equal(queue.size, 0);
    assert.equal((await queue.next()).done, true);
  });

  it('releases a waiting reader that is told to return', async () => {
    const queue = new AsyncQueue<number>();
    const waiting = queue.next();
    await queue.return();
    assert.equal((await waiting).done, true);
  });
});
