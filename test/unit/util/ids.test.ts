import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assertSafeName, isFullId, newId, newToken, shortId } from '#src/util/ids.js';
import { throwsReason } from '#support/throws-reason.js';

describe('ids', () => {
  it('are 64 hex digits, and never twice the same', () => {
    const ids = Array.from({ length: 1000 }, newId);
    assert.equal(new Set(ids).size, 1000);
    for (const id of ids) assert.ok(/^[0-9a-f]{64}$/.test(id) && isFullId(id));
    assert.match(newToken(), /^[0-9a-f]{16}$/);
    assert.equal(shortId(`0123456789abcdef${'0'.repeat(48)}`), '0123456789ab');
  });

  it('are told from what only looks like one', () => {
    const id = newId();
    for (const text of [id.slice(1), `${id}0`, id.toUpperCase().replace(/\d/g, 'A'), `${id}\n`, '']) {
      assert.equal(isFullId(text), false, JSON.stringify(text));
    }
  });
});

describe('safe names', () => {
  it('may become path components', () => {
    for (const name of ['a', '0', 'web-1', 'A_b.c-d', '__proto__'.slice(2), 'x'.repeat(128)])
      assertSafeName('name', name);
  });

  it('are nothing else', () => {
    const bad = [
      '',
      '.',
      '..',
      '.a',
      '-a',
      '_a',
      'a/b',
      'a\0',
      'a\n',
      'a b',
      'ä',
      'x'.repeat(129),
      5,
      null,
      undefined,
      {},
    ];
    for (const name of bad) {
      const error = throwsReason(() => assertSafeName('name', name), 'BAD_NAME', 'name');
      assert.equal(error.code, 'INVALID_ARGUMENT');
      assert.ok(!error.message.includes('\n') && !error.message.includes('\0'));
    }
  });
});
