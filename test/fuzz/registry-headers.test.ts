import assert from 'node:assert/strict';
import { it } from 'node:test';
import { EngineError } from '#src/errors/index.js';
import { parseDockerConfig } from '#src/registry/auth/docker-config.js';
import { InsecureRegistries } from '#src/registry/http/insecure-registries.js';
import { isRegistryHost, manifestName } from '#src/registry/names.js';
import { parseChallenges } from '#src/registry/protocol/challenge.js';
import { nextLink } from '#src/registry/protocol/link-header.js';
import { parseContentRange, parseRetryAfter, parseUploadRange } from '#src/registry/protocol/ranges.js';
import { checkLocation } from '#src/registry/session/redirect.js';

/** Small, seeded, good enough: a failure prints its seed. */
function randomOf(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const ROUNDS = 4_000;
const PIECES = [
  'Bearer',
  'Basic',
  ' ',
  ',',
  '=',
  '"',
  '\\',
  ';',
  '<',
  '>',
  'realm',
  'scope',
  'rel',
  'next',
  'https://r.example/token',
  'http://127.0.0.1',
  '//evil.example',
  '../',
  '@',
  ':',
  '/',
  '?',
  '#',
  '%00',
  '\u0000',
  '\u00e9',
  '\u0661',
  '__proto__',
  'bytes ',
  '0-9/10',
  '-',
  '*',
  '9007199254740993',
  'a'.repeat(300),
  'sha256:',
  'a'.repeat(64),
  'user:pass@',
  'file:',
  '{',
  '}',
  '[',
  ']',
  '"auths"',
  '"auth"',
  'null',
  '1e999',
  '\t',
  '\r\n',
  'xn--',
  '[::1]',
  'localhost',
];

function text(random: (below: number) => number): string {
  return Array.from({ length: random(14) }, () => PIECES[random(PIECES.length)]).join('');
}

/** Runs with many seeds; what is thrown must be an EngineError. */
function fuzz(work: (input: string, random: (below: number) => number) => void): void {
  for (let seed = 1; seed <= ROUNDS; seed++) {
    const random = randomOf(seed * 7919);
    const input = text(random);
    try {
      work(input, random);
    } catch (error) {
      if (!EngineError.is(error)) throw new Error(`seed ${seed}: ${JSON.stringify(input)}`, { cause: error });
    }
  }
}

it('any challenge, link, range or wait is read without a throw, to what it may be', () => {
  for (let seed = 1; seed <= ROUNDS; seed++) {
    const input = text(randomOf(seed));
    for (const { scheme, params } of parseChallenges(input)) {
      assert.match(scheme, /^[!-~]+$/, `seed ${seed}`);
      assert.ok(params instanceof Map);
    }
    const link = nextLink(input);
    assert.ok(link === undefined || !/[<>]/.test(link), `seed ${seed}`);
    const range = parseContentRange(input);
    if (range !== undefined) assert.ok(range.start >= 0 && range.end >= range.start && Number.isSafeInteger(range.end));
    assert.ok((parseUploadRange(input) ?? 0) >= 0);
    assert.ok((parseRetryAfter(input, 0) ?? 0) >= 0);
  }
});

it('what a challenge says is what is read of it', () => {
  for (let seed = 1; seed <= ROUNDS; seed++) {
    const random = randomOf(seed * 31);
    const params = new Map(
      Array.from({ length: random(4) }, (_, n) => [`p${n}`, text(random).replace(/[\r\n\0]/g, '')]),
    );
    const quoted = [...params]
      .map(([name, value]) => `${name}="${value.replace(/["\\]/g, '\\$&')}"`)
      .join(random(2) ? ', ' : ',');
    const header = `Bearer ${quoted}${quoted === '' ? '' : ', '}Basic realm=x`;
    if (header.length > 16_384) continue;
    const [bearer, basic] = parseChallenges(header);
    assert.deepEqual([bearer?.scheme, bearer?.params], ['bearer', params], `seed ${seed}: ${header}`);
    assert.equal(basic?.params.get('realm'), 'x');
  }
});

it('a name that passes makes a URL of its own host and path', () => {
  fuzz((input, random) => {
    if (isRegistryHost(input)) {
      if (!URL.canParse(`https://${input}/v2/`)) return;
      const url = new URL(`https://${input}/v2/`);
      assert.deepEqual([url.username, url.pathname, url.search, url.hash], ['', '/v2/', '', '']);
    }
    const repository = random(2) ? input : 'a';
    const name = manifestName({ registry: 'r.example', repository, ...(random(2) && { tag: input }) });
    const url = new URL(`https://r.example/v2/${repository}/manifests/${name}`);
    assert.equal(url.pathname, `/v2/${repository}/manifests/${name}`);
    assert.equal(url.origin, 'https://r.example');
  });
});

it('a place that passes is http or https without a user, and never less safe than where we are', () => {
  const insecure = new InsecureRegistries([], true);
  fuzz((input) => {
    const url = checkLocation(new URL('https://r.example/v2/a/blobs/x'), input, insecure);
    assert.equal(url.protocol, 'https:');
    assert.equal(url.username + url.password, '');
  });
});

it('a file of credentials is read or refused, without its text in the error', () => {
  for (let seed = 1; seed <= ROUNDS; seed++) {
    const random = randomOf(seed * 131);
    const base = JSON.stringify({
      auths: {
        'r.example': { auth: Buffer.from('ann:s3cret-of-ann').toString('base64') },
        [text(random)]: { identitytoken: text(random) },
      },
      credHelpers: { [text(random)]: text(random) },
      credsStore: random(3) ? undefined : text(random),
    });
    const at = random(base.length);
    const json = random(2) ? base : base.slice(0, at) + text(random) + base.slice(at + random(20));
    try {
      const { auths } = parseDockerConfig(json, 'test');
      assert.ok(auths instanceof Map);
    } catch (error) {
      assert.ok(EngineError.is(error, undefined, 'BAD_CREDENTIALS_FILE'), `seed ${seed}: ${error}`);
      assert.ok(!String(error.stack).includes('s3cret') && error.cause === undefined, `seed ${seed}`);
    }
  }
});
