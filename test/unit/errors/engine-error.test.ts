import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import { EngineError, engineError, REASONS, type Reason } from '#src/errors/index.js';
import { PROJECT } from '#support/project.js';

const CODES = new Set(
  `INVALID_ARGUMENT NOT_FOUND ALREADY_EXISTS CONFLICT FAILED_PRECONDITION PERMISSION_DENIED UNAUTHENTICATED UNAVAILABLE
   RESOURCE_EXHAUSTED ABORTED CANCELED DEADLINE_EXCEEDED NOT_IMPLEMENTED DATA_LOSS INTERNAL`.split(/\s+/),
);

describe('reasons', () => {
  it('each give an error with a code of the closed set, and its remedy', () => {
    for (const reason of Object.keys(REASONS) as Reason[]) {
      const error = engineError(reason, 'it happened');
      assert.ok(CODES.has(error.code), `${reason} has code ${error.code}`);
      assert.equal(error.code, REASONS[reason].code);
      assert.equal(error.reason, reason);
      assert.equal(error.message, `it happened: ${REASONS[reason].remedy}`);
    }
  });
});

describe('EngineError', () => {
  it('is an Error with name, stack, cause and details', () => {
    const cause = new Error('below');
    const error = engineError('BAD_OPTION', 'x', { details: { field: 'y' }, cause });
    assert.ok(error instanceof Error);
    assert.equal(error.name, 'EngineError');
    assert.equal(error.cause, cause);
    assert.deepEqual(error.details, { field: 'y' });
    assert.match(error.stack ?? '', /^EngineError: x/);
    assert.ok(!('cause' in engineError('BUG', 'x')), 'no cause, no property');
    assert.deepEqual(engineError('BUG', 'x').details, {});
  });

  it('is known by code and reason', () => {
    const error = engineError('BAD_NAME', 'x');
    assert.ok(EngineError.is(error));
    assert.ok(EngineError.is(error, 'INVALID_ARGUMENT'));
    assert.ok(EngineError.is(error, undefined, 'BAD_NAME'));
    assert.ok(EngineError.is(error, 'INVALID_ARGUMENT', 'BAD_NAME'));
    assert.ok(!EngineError.is(error, 'NOT_FOUND'));
    assert.ok(!EngineError.is(error, 'INVALID_ARGUMENT', 'BAD_OPTION'));
  });

  it('is not taken for what only looks like one', () => {
    const lookalike = { name: 'EngineError', code: 'NOT_FOUND', reason: 'X', details: {} };
    for (const value of [new Error('x'), lookalike, null, undefined, 'EngineError', 5, () => {}, Symbol('x')]) {
      assert.equal(EngineError.is(value), false, inspect(value));
    }
  });

  it('is known across two copies of the package', async () => {
    const url = `${pathToFileURL(`${PROJECT}/dist/errors/engine-error.js`).href}?copy`;
    const copy = (await import(url)) as typeof import('#src/errors/engine-error.js');
    assert.notEqual(copy.EngineError, EngineError);
    const theirs = copy.engineError('BAD_NAME', 'x');
    assert.ok(!(theirs instanceof EngineError));
    assert.ok(EngineError.is(theirs, 'INVALID_ARGUMENT', 'BAD_NAME'));
    assert.ok(copy.EngineError.is(engineError('BUG', 'x'), 'INTERNAL'));
  });

  it('becomes plain JSON without stack, cause or brand', () => {
    const error = engineError('BAD_NAME', 'x', { details: { value: '__proto__' }, cause: new Error('secret') });
    assert.deepEqual(JSON.parse(JSON.stringify(error)), {
      code: 'INVALID_ARGUMENT',
      reason: 'BAD_NAME',
      message: error.message,
      details: { value: '__proto__' },
    });
    assert.ok(!Object.keys(error).some((key) => key.includes('BRAND')));
  });

  it('has no control characters in its message, whoever made it', () => {
    const error = engineError('BUG', 'a\nb\u001b[31m\u0000\u202e');
    assert.ok(error.message.startsWith('a\\u000ab\\u001b[31m\\u0000\\u202e: '), error.message);
  });
});
