import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EngineError } from '#src/errors/index.js';
import { choosePlatform, formatPlatform, parsePlatform } from '#src/images/index.js';

const amd64 = { os: 'linux', architecture: 'amd64' };

describe('platforms', () => {
  const table: [text: string, normal: string][] = [
    ['linux/amd64', 'linux/amd64'],
    ['Linux/x86_64', 'linux/amd64'],
    ['linux/x86-64/v1', 'linux/amd64'],
    ['linux/amd64/v3', 'linux/amd64/v3'],
    ['linux/aarch64', 'linux/arm64'],
    ['linux/arm64/v8', 'linux/arm64'],
    ['linux/arm64/8', 'linux/arm64'],
    ['linux/arm', 'linux/arm/v7'],
    ['linux/armhf', 'linux/arm/v7'],
    ['linux/armel', 'linux/arm/v6'],
    ['linux/arm/6', 'linux/arm/v6'],
    ['linux/i386', 'linux/386'],
    ['arm64', 'linux/arm64'],
    ['linux', 'linux/amd64'],
    ['windows/amd64', 'windows/amd64'],
  ];
  for (const [text, normal] of table) {
    it(`reads ${text}`, () => assert.equal(formatPlatform(parsePlatform(text, amd64)), normal));
  }
  for (const text of ['', '/', 'linux/', 'linux/a/b/c', 'linux/a b', 'nonsense', 'linux/../x', '\0/x']) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(
        () => parsePlatform(text, amd64),
        (error) => EngineError.is(error, 'INVALID_ARGUMENT', 'BAD_OPTION'),
      );
    });
  }

  const have = (...texts: string[]) => texts.map((text) => ({ platform: parsePlatform(text) }));
  const chosen = (wanted: string, texts: string[], compatible = false) => {
    const found = choosePlatform(have(...texts), parsePlatform(wanted), compatible);
    return found && formatPlatform(found.platform);
  };

  it('takes the exact one, then the nearest lower variant', () => {
    assert.equal(chosen('linux/amd64', ['linux/arm64', 'linux/amd64']), 'linux/amd64');
    assert.equal(chosen('linux/arm/v7', ['linux/arm/v5', 'linux/arm/v6', 'linux/arm64']), 'linux/arm/v6');
    assert.equal(chosen('linux/amd64/v3', ['linux/amd64', 'linux/amd64/v2', 'linux/amd64/v4']), 'linux/amd64/v2');
    assert.equal(chosen('linux/amd64', ['linux/amd64/v3']), undefined);
    assert.equal(chosen('linux/arm64', ['linux/arm64/v8']), 'linux/arm64');
    assert.equal(chosen('linux/arm64', ['linux/arm64/v9']), undefined);
  });

  it('falls back to 32 bits only when nobody asked for a platform', () => {
    assert.equal(chosen('linux/amd64', ['linux/386']), undefined);
    assert.equal(chosen('linux/amd64', ['linux/386'], true), 'linux/386');
    assert.equal(chosen('linux/arm64', ['linux/arm/v6', 'linux/arm/v7'], true), 'linux/arm/v7');
    assert.equal(chosen('linux/amd64', ['windows/amd64'], true), undefined);
  });

  it('takes an entry without a platform only when no other fits', () => {
    const bare = { platform: undefined };
    assert.equal(choosePlatform([bare, ...have('linux/arm64')], amd64), bare);
    assert.notEqual(choosePlatform([bare, ...have('linux/amd64')], amd64), bare);
  });
});
