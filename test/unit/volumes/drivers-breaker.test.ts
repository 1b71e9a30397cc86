import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Breaker, type BreakerPass } from '#src/volumes/drivers/breaker.js';

describe('the breaker', () => {
  let now = 0;
  const make = (options = {}) => {
    now = 1_000;
    return new Breaker({ failures: 2, cooldownMs: 100, maxCooldownMs: 300, ...options }, () => now);
  };
  const pass = (breaker: Breaker): BreakerPass => {
    const admitted = breaker.admit();
    assert.ok('answered' in admitted, `not admitted: ${JSON.stringify(admitted)}`);
    return admitted;
  };
  const refused = (breaker: Breaker) => {
    const admitted = breaker.admit();
    assert.ok('because' in admitted, 'admitted');
    return admitted;
  };

  it('opens after silence in a row only', () => {
    const breaker = make();
    pass(breaker).silent('one');
    pass(breaker).answered();
    pass(breaker).silent('two');
    assert.equal(breaker.isSuspended, false);
    pass(breaker).silent('three');
    assert.equal(breaker.isSuspended, true);
    assert.deepEqual(refused(breaker), { retryAfterMs: 100, because: 'three' });
  });

  it('lets one probe through after the cooldown, and closes when it is answered', () => {
    const breaker = make({ failures: 1 });
    pass(breaker).silent('x');
    now += 99;
    assert.equal(refused(breaker).retryAfterMs, 1);
    now += 1;
    const probe = pass(breaker);
    refused(breaker);
    refused(breaker);
    probe.answered();
    assert.equal(breaker.isSuspended, false);
    pass(breaker);
    pass(breaker);
  });

  it('waits twice as long after each silent probe, up to the limit, and as at first after an answer', () => {
    const breaker = make({ failures: 1 });
    pass(breaker).silent('x');
    for (const wait of [100, 200, 300, 300]) {
      assert.equal(refused(breaker).retryAfterMs, wait);
      now += wait;
      pass(breaker).silent('again');
    }
    now += 300;
    pass(breaker).answered();
    pass(breaker).silent('later');
    assert.equal(refused(breaker).retryAfterMs, 100);
  });

  it('lets the next one probe when a probe was given up', () => {
    const breaker = make({ failures: 1 });
    pass(breaker).silent('x');
    now += 100;
    pass(breaker).abandoned();
    pass(breaker).answered();
    assert.equal(breaker.isSuspended, false);
  });

  it('takes no longer because calls from before the suspension end late, and opens early when one is answered', () => {
    const breaker = make();
    const early = [pass(breaker), pass(breaker), pass(breaker), pass(breaker)] as const;
    early[0].silent('a');
    early[1].silent('b');
    now += 60;
    early[2].silent('c');
    assert.equal(refused(breaker).retryAfterMs, 40);
    early[3].answered();
    pass(breaker);
  });
});
