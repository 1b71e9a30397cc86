import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { engineError } from '#src/errors/index.js';
import { DOCKER_DELAYS_MS, retryConnect } from '#src/plugins/retry-connect.js';

const signal = new AbortController().signal;
const refused = () => engineError('PLUGIN_UNREACHABLE', 'refused', { details: { passing: true } });

async function attempts(options: { windowMs: number; delaysMs: readonly number[] }, fail = refused) {
  let count = 0;
  const startedAt = performance.now();
  await assert.rejects(
    retryConnect(
      async () => {
        count++;
        throw fail();
      },
      { signal, ...options },
    ),
  );
  return { count, ms: performance.now() - startedAt };
}

describe('retryConnect', () => {
  it('has the waits of Docker', () => {
    assert.deepEqual(
      DOCKER_DELAYS_MS,
      [1, 2, 4, 8, 16, 30].map((seconds) => seconds * 1000),
    );
  });

  it('begins no wait that would end after the window: half of it is used, in five attempts', async () => {
    // A hundredth of Docker's times.
    const { count, ms } = await attempts({ windowMs: 300, delaysMs: DOCKER_DELAYS_MS.map((delay) => delay / 100) });
    assert.equal(count, 5);
    assert.ok(ms >= 145 && ms < 300, `${ms} ms`);
  });

  it('makes one attempt for a window of 0', async () => {
    assert.equal((await attempts({ windowMs: 0, delaysMs: [1] })).count, 1);
    assert.equal((await attempts({ windowMs: 0, delaysMs: [0] })).count, 1);
  });

  it('repeats the last wait', async () => {
    const { count } = await attempts({ windowMs: 100, delaysMs: [10, 20] });
    assert.ok(count >= 4 && count <= 6, `${count} attempts`);
  });

  it('does not repeat what is no passing failure of a connection', async () => {
    for (const details of [{ passing: false }, { sent: true }, {}]) {
      const fail = () => engineError('PLUGIN_UNREACHABLE', 'broken', { details });
      assert.equal((await attempts({ windowMs: 1_000, delaysMs: [1] }, fail)).count, 1);
    }
  });

  it('gives the answer of the attempt that works', async () => {
    let count = 0;
    const answer = await retryConnect(
      async () => {
        if (++count < 3) throw refused();
        return 'answer';
      },
      { signal, windowMs: 1_000, delaysMs: [1] },
    );
    assert.deepEqual([answer, count], ['answer', 3]);
  });

  it('ends in the middle of a wait when it is aborted', async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 30);
    const waiting = retryConnect(async () => Promise.reject(refused()), {
      signal: controller.signal,
      windowMs: 60_000,
      delaysMs: [10_000],
    });
    await assert.rejects(waiting, { reason: 'CANCELED' });
  });
});
