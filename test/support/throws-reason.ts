import assert from 'node:assert/strict';
import { EngineError, type Reason } from '#src/errors/index.js';

/** Asserts that `run` throws an EngineError of this reason, and of this field where given; gives the error. */
export function throwsReason(run: () => unknown, reason: Reason, field?: string): EngineError {
  try {
    run();
  } catch (error) {
    assert.ok(EngineError.is(error), String(error));
    assert.equal(error.reason, reason, error.message);
    if (field !== undefined) assert.equal(error.details.field, field, error.message);
    return error;
  }
  assert.fail(`nothing thrown, expected ${reason}`);
}
