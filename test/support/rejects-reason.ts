import assert from 'node:assert/strict';
import { EngineError } from '#src/errors/index.js';

/** Asserts that the promise rejects with an EngineError of this reason; gives the error. */
export async function rejectsReason(promise: Promise<unknown>, reason: string): Promise<EngineError> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    assert.ok(EngineError.is(error), String(error));
    assert.equal(error.reason, reason, error.message);
    return error;
  }
  return assert.fail(`nothing thrown, expected ${reason}; it gave ${JSON.stringify(value)}`);
}
