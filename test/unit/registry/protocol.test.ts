import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseChallenges } from '#src/registry/protocol/challenge.js';
import { nextLink } from '#src/registry/protocol/link-header.js';
import { parseContentRange, parseLength, parseRetryAfter, parseUploadRange } from '#src/registry/protocol/ranges.js';

const shown = (header: string) =>
  parseChallenges(header).map(({ scheme, params }) => [scheme, Object.fromEntries(params)] as const);

describe('the reader of auth challenges', () => {
  it('takes what registries send', () => {
    assert.deepEqual(shown('Bearer realm="https://auth.example/token",service="s",scope="repository:a/b:pull,push"'), [
      ['bearer', { realm: 'https://auth.example/token', service: 's', scope: 'repository:a/b:pull,push' }],
    ]);
    assert.deepEqual(shown('Basic realm="a \\"b\\" \\\\c"'), [['basic', { realm: 'a "b" \\c' }]]);
    assert.deepEqual(shown('BASIC Realm = x , charset=UTF-8'), [['basic', { realm: 'x', charset: 'UTF-8' }]]);
    assert.deepEqual(shown('Bearer realm="a,b",error=x, Basic realm="y"'), [
      ['bearer', { realm: 'a,b', error: 'x' }],
      ['basic', { realm: 'y' }],
    ]);
    assert.deepEqual(shown('Negotiate, NTLM abc==, , Basic realm=""'), [
      ['negotiate', {}],
      ['ntlm', {}],
      ['basic', { realm: '' }],
    ]);
    assert.deepEqual(shown('Basic'), [['basic', {}]]);
  });

  it('leaves out what makes no sense, and believes the first of two', () => {
    assert.deepEqual(shown('Bearer realm="https://a",realm="https://evil"'), [['bearer', { realm: 'https://a' }]]);
    assert.deepEqual(shown('Bearer realm="never ends'), [['bearer', {}]]);
    assert.deepEqual(shown('Bearer realm="a"service="b"'), [['bearer', { realm: 'a' }]]);
    assert.deepEqual(shown('Basic realm="a" , ="x", Bearer realm="b"'), [['basic', { realm: 'a' }]]);
    for (const header of ['', ',,,', '"', '=', '\u0000', '(x)', ' ']) assert.deepEqual(shown(header), []);
    assert.deepEqual(parseChallenges(undefined), []);
    assert.deepEqual(parseChallenges(`Basic realm="${'x'.repeat(20_000)}"`), []);
    assert.ok(parseChallenges('Basic a=b, '.repeat(500)).length <= 16);
    const proto = parseChallenges('Basic __proto__="x"')[0]?.params;
    assert.deepEqual([...(proto ?? [])], [['__proto__', 'x']]);
  });
});

describe('the reader of Link headers', () => {
  it('finds the next page', () => {
    assert.equal(nextLink('</v2/a/tags/list?last=b&n=2>; rel="next"'), '/v2/a/tags/list?last=b&n=2');
    assert.equal(nextLink('<x>; rel=next'), 'x');
    assert.equal(nextLink('<a>;rel="prev", <b,c;d>; title="x, <y>; rel=next"; rel="last NEXT"'), 'b,c;d');
    assert.equal(nextLink('<a>; rel=prev; rel=next'), undefined);
    assert.equal(nextLink('<>; rel="next"'), '');
  });

  it('finds none where there is none', () => {
    for (const header of [
      undefined,
      '',
      'x',
      '<a',
      '<a>; rel="next',
      '<a>; rel',
      '<a>',
      '<a>; rev="next"',
      '<a> rel=next',
    ]) {
      assert.equal(nextLink(header), undefined, header);
    }
  });

  it('takes no time for a hostile header', () => {
    const startedAt = performance.now();
    for (const part of ['<', '<a>;', '<a>; a="', ' ;', '<a>; x=\\"', '<a> , ']) nextLink(part.repeat(8000));
    for (const part of ['a=', '"\\', 'Basic ', ', ']) parseChallenges(part.repeat(4000));
    assert.ok(performance.now() - startedAt < 300);
  });
});

describe('the readers of ranges and waits', () => {
  it('take what is possible only', () => {
    assert.deepEqual(parseContentRange('bytes 5-9/10'), { start: 5, end: 9, total: 10 });
    assert.deepEqual(parseContentRange('bytes 0-0/*'), { start: 0, end: 0, total: undefined });
    for (const header of [
      '',
      'bytes 5-4/10',
      'bytes 0-10/10',
      'bytes */10',
      'items 0-1/2',
      'bytes -1-2/3',
      'bytes 0-1',
      'bytes 0-9007199254740993/*',
    ]) {
      assert.equal(parseContentRange(header), undefined, header);
    }
    assert.deepEqual(['0-1023', 'bytes=0-9', '0-0', '1-5', '0-', 'x', undefined].map(parseUploadRange), [
      1024,
      10,
      0,
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    assert.deepEqual(['0', '12', '-1', '1e3', '', '99999999999999999', undefined].map(parseLength), [
      0,
      12,
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('know seconds and dates', () => {
    const now = Date.parse('2024-05-01T10:00:00Z');
    assert.equal(parseRetryAfter('7', now), 7_000);
    assert.equal(parseRetryAfter('Wed, 01 May 2024 10:00:30 GMT', now), 30_000);
    assert.equal(parseRetryAfter('Wed, 01 May 2024 09:00:00 GMT', now), 0);
    for (const header of [undefined, '', '-1', '1.5', 'soon', '2030', '99999999999']) {
      assert.equal(parseRetryAfter(header, now), header === '2030' ? 2_030_000 : undefined, header);
    }
  });
});
