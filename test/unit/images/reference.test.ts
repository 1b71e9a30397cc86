import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EngineError } from '#src/errors/index.js';
import { familiarName, familiarString, formatReference, parseReference, withDefaultTag } from '#src/images/index.js';

const HEX = 'c0ffee'.repeat(11).slice(0, 64);
const DIGEST = `sha256:${HEX}`;

describe('parseReference', () => {
  const good: [text: string, canonical: string, familiar: string][] = [
    ['busybox', 'docker.io/library/busybox', 'busybox'],
    ['busybox:1.36', 'docker.io/library/busybox:1.36', 'busybox:1.36'],
    ['library/busybox', 'docker.io/library/busybox', 'busybox'],
    ['docker.io/busybox', 'docker.io/library/busybox', 'busybox'],
    ['index.docker.io/team/app', 'docker.io/team/app', 'team/app'],
    ['docker.io/library/a/b', 'docker.io/library/a/b', 'library/a/b'],
    ['team/app:v1_2.3-x', 'docker.io/team/app:v1_2.3-x', 'team/app:v1_2.3-x'],
    ['team/sub/app', 'docker.io/team/sub/app', 'team/sub/app'],
    ['localhost/app', 'localhost/app', 'localhost/app'],
    ['localhost:5000/app:1', 'localhost:5000/app:1', 'localhost:5000/app:1'],
    [`reg.example:5000/a/b/c@${DIGEST}`, `reg.example:5000/a/b/c@${DIGEST}`, `reg.example:5000/a/b/c@${DIGEST}`],
    [`reg.example/app:1@${DIGEST}`, `reg.example/app:1@${DIGEST}`, `reg.example/app:1@${DIGEST}`],
    ['127.0.0.1:80/app', '127.0.0.1:80/app', '127.0.0.1:80/app'],
    ['[::1]:5000/app', '[::1]:5000/app', '[::1]:5000/app'],
    ['Registry/app', 'Registry/app', 'Registry/app'],
    ['REG.Example.com/app', 'REG.Example.com/app', 'REG.Example.com/app'],
    ['xn--n3h.example/app', 'xn--n3h.example/app', 'xn--n3h.example/app'],
    ['a.b/c', 'a.b/c', 'a.b/c'],
    ['team/a__b-c---d.e_f', 'docker.io/team/a__b-c---d.e_f', 'team/a__b-c---d.e_f'],
    [`app:${'T'.repeat(128)}`, `docker.io/library/app:${'T'.repeat(128)}`, `app:${'T'.repeat(128)}`],
    [`${HEX}x`, `docker.io/library/${HEX}x`, `${HEX}x`],
    [HEX.slice(1), `docker.io/library/${HEX.slice(1)}`, HEX.slice(1)],
    [`team/${HEX}`, `docker.io/team/${HEX}`, `team/${HEX}`],
    ['app:_x', 'docker.io/library/app:_x', 'app:_x'],
    [`docker.io/library/${'a'.repeat(247)}`, `docker.io/library/${'a'.repeat(247)}`, 'a'.repeat(247)],
  ];
  for (const [text, canonical, familiar] of good) {
    it(`reads ${text.slice(0, 60)}`, () => {
      const reference = parseReference(text);
      assert.equal(formatReference(reference), canonical);
      assert.equal(familiarString(reference), familiar);
      assert.deepEqual(parseReference(canonical), reference, 'the canonical form means the same');
      assert.deepEqual(parseReference(familiar), reference, 'the familiar form means the same');
    });
  }

  const bad = [
    '',
    HEX,
    'App',
    'team/App',
    'localhost/App',
    'docker.io/',
    'app:',
    'app:-x',
    'app:.x',
    'app:a b',
    `app:${'t'.repeat(129)}`,
    'app@',
    'app@sha256:',
    `app@sha256:${'A'.repeat(64)}`,
    `app@sha256:${'a'.repeat(63)}`,
    `app@sha256:${'a'.repeat(65)}`,
    `app@sha256:${'\uff10'.repeat(64)}`,
    `app@md5:${'a'.repeat(32)}`,
    `app@${DIGEST}:tag`,
    `app@${DIGEST}@${DIGEST}`,
    '-app',
    'app-',
    'a..b',
    'a___b',
    'a._b',
    'team//app',
    '/app',
    'team/',
    '../app',
    'team/../app',
    './app',
    'reg.example:x/app',
    'reg.example:123456/app',
    '-reg.example/app',
    'reg-.example/app',
    'reg..example/app',
    'user:pass@reg.example/app',
    'https://reg.example/app',
    '[::1/app',
    'app\n',
    'app\0',
    ' app',
    'äpp',
    `${'a/'.repeat(200)}a`,
    'a'.repeat(10_000),
  ];
  for (const text of bad) {
    it(`refuses ${JSON.stringify(text.slice(0, 60))}`, () => {
      assert.throws(
        () => parseReference(text),
        (error) => EngineError.is(error, 'INVALID_ARGUMENT', 'BAD_REFERENCE') && error.details['field'] === 'reference',
      );
    });
  }

  it('takes no time over hostile text', () => {
    const started = performance.now();
    for (const text of [`${'a-'.repeat(300)}`, `${'a_'.repeat(300)}!`, `${'a.'.repeat(250)}/`]) {
      assert.throws(() => parseReference(text));
    }
    assert.ok(performance.now() - started < 5_000);
  });

  it('gives latest only where nothing is said', () => {
    assert.equal(withDefaultTag(parseReference('a')).tag, 'latest');
    assert.equal(withDefaultTag(parseReference('a:b')).tag, 'b');
    assert.equal(withDefaultTag(parseReference(`a@${DIGEST}`)).tag, undefined);
    assert.equal(familiarName(parseReference('a:b')), 'a');
  });
});
