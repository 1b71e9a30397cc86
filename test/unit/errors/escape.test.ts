import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { escapeForeign, quote } from '#src/errors/index.js';

describe('escapeForeign', () => {
  it('escapes every control character and direction mark, and nothing else', () => {
    for (let code = 0; code < 0x3000; code++) {
      const char = String.fromCharCode(code);
      const escaped = `\\u${code.toString(16).padStart(4, '0')}`;
      const dangerous = /[\p{Cc}\u2028\u2029]/u.test(char) || /[\u200e\u200f\u202a-\u202e\u2066-\u2069]/.test(char);
      assert.equal(escapeForeign(char), dangerous ? escaped : char, escaped);
    }
    assert.equal(escapeForeign('ünïcode 漢字 🚀'), 'ünïcode 漢字 🚀');
  });

  it('changes nothing the second time', () => {
    const once = escapeForeign('a\u001b[2J\r\nb');
    assert.equal(escapeForeign(once), once);
  });
});

describe('quote', () => {
  const circle: Record<string, unknown> = Object.create(null);
  circle['self'] = circle;
  const table: [unknown, string][] = [
    ['plain', '"plain"'],
    ['', '""'],
    ['say "hi"', '"say \\"hi\\""'],
    ['a\nb', '"a\\nb"'],
    ['\u009b31m', '"\\u009b31m"'],
    [undefined, 'undefined'],
    [null, 'null'],
    [Number.NaN, 'NaN'],
    [Number.POSITIVE_INFINITY, 'Infinity'],
    [12n, '12n'],
    [{ a: 1n }, '[object Object]'],
    [circle, '[object Object]'],
    [Symbol('x'), 'Symbol(x)'],
    [['a', 1], '["a",1]'],
    [
      {
        toJSON() {
          throw new Error('hostile');
        },
        toString() {
          throw new Error('hostile');
        },
      },
      '[object Object]',
    ],
  ];
  for (const [value, expected] of table) {
    it(`shows ${expected}`, () => assert.equal(quote(value), expected));
  }

  it('cuts long values', () => {
    assert.equal(quote('x'.repeat(1000)).length, 201);
    assert.ok(quote('x'.repeat(1000)).endsWith('…'));
    assert.equal(quote('x'.repeat(10), 5), '"xxxx…');
    assert.equal(quote('x'.repeat(198)).length, 200, 'what just fits is whole');
  });
});
