import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assertMay, type ContainerStatus, type GuardedVerb, isLive, mayDo } from '#src/containers/status.js';
import { throwsReason } from '#support/throws-reason.js';

const STATUSES: ContainerStatus[] = ['created', 'starting', 'running', 'paused', 'exited', 'removing'];

/** For each verb the statuses that allow it, and what is thrown in the others. */
const TABLE: Record<GuardedVerb, [ContainerStatus[], 'CONTAINER_NOT_RUNNING' | 'CONTAINER_BAD_STATUS']> = {
  start: [['created', 'exited', 'starting'], 'CONTAINER_BAD_STATUS'],
  stop: [['running', 'paused', 'created', 'exited'], 'CONTAINER_BAD_STATUS'],
  kill: [['running', 'paused'], 'CONTAINER_NOT_RUNNING'],
  exec: [['running'], 'CONTAINER_NOT_RUNNING'],
  stdin: [['running'], 'CONTAINER_NOT_RUNNING'],
};

describe('the status machine', () => {
  for (const [verb, [allowed, reason]] of Object.entries(TABLE) as [GuardedVerb, (typeof TABLE)[GuardedVerb]][]) {
    for (const status of STATUSES) {
      const allows = allowed.includes(status);
      it(`${allows ? 'allows' : 'refuses'} ${verb} while ${status}`, () => {
        const subject = { id: 'f'.repeat(64), status };
        assert.equal(mayDo(verb, status), allows);
        if (allows) return assertMay(verb, subject);
        const error = throwsReason(() => assertMay(verb, subject), reason);
        assert.deepEqual(error.details, { ...subject, verb });
        assert.equal(error.code, 'FAILED_PRECONDITION');
        assert.match(error.message, new RegExp(`container ffffffffffff is ${status}; ${verb} needs it ${allowed[0]}`));
      });
    }
  }

  it('counts a container as live while it has processes', () => {
    assert.deepEqual(STATUSES.filter(isLive), ['running', 'paused']);
  });
});
