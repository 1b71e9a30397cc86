import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkRealm } from '#src/registry/auth/realm.js';
import { bareHost, isLoopbackHost, mayConnect } from '#src/registry/http/addresses.js';
import { InsecureRegistries } from '#src/registry/http/insecure-registries.js';
import { proxyFor, proxyFromEnv } from '#src/registry/http/proxy.js';
import { resolveLimits } from '#src/registry/limits.js';
import { Secrets } from '#src/registry/secrets.js';
import { parseMirrors } from '#src/registry/session/endpoints.js';
import { throwsReason } from '#support/throws-reason.js';

describe('proxies', () => {
  const proxy = 'http://proxy.example:3128';
  const through = (url: string, noProxy: string) =>
    proxyFor(new URL(url), { httpProxy: proxy, httpsProxy: proxy, noProxy }) !== undefined;

  it('are left out for this machine and for what NO_PROXY names, as in Go', () => {
    for (const url of ['http://localhost:5000', 'https://127.0.0.1', 'http://127.9.9.9', 'http://[::1]:5000']) {
      assert.equal(through(url, ''), false, url);
    }
    for (const [noProxy, url, expected] of [
      ['', 'https://a.example', true],
      ['*', 'https://a.example', false],
      ['example', 'https://a.example', false],
      ['a.example', 'https://a.example', false],
      ['a.example', 'https://x.a.example', false],
      ['a.example', 'https://xa.example', true],
      ['.a.example', 'https://a.example', true],
      ['.a.example', 'https://x.a.example', false],
      ['*.a.example', 'https://x.a.example', false],
      ['a.example:5000', 'https://a.example:5000', false],
      ['a.example:5000', 'https://a.example', true],
      ['a.example:443', 'https://a.example', false],
      ['x, A.EXAMPLE ,y', 'https://a.example', false],
      ['10.0.0.0/8', 'http://10.1.2.3:5000', false],
      ['10.0.0.0/8', 'http://11.1.2.3:5000', true],
      ['10.1.2.3', 'http://10.1.2.3:5000', false],
      ['fd00::/8', 'http://[fd00::1]:5000', false],
      ['[fd00::1]:5000', 'http://[fd00::1]:5000', false],
      ['fd00::1', 'http://[fd00::2]', true],
    ] as const) {
      assert.equal(through(url, noProxy), expected, `${noProxy} ${url}`);
    }
  });

  it('come from the environment by scheme', () => {
    const options = proxyFromEnv({ HTTP_PROXY: 'one:1', https_proxy: 'https://two:2', NO_PROXY: 'x', no_proxy: 'y' });
    assert.deepEqual(options, { httpProxy: 'one:1', httpsProxy: 'https://two:2', noProxy: 'x' });
    assert.equal(proxyFor(new URL('http://a.example'), options)?.href, 'http://one:1/');
    assert.equal(proxyFor(new URL('https://a.example'), options)?.href, 'https://two:2/');
    assert.deepEqual(proxyFromEnv({ HTTP_PROXY: 'one:1', REQUEST_METHOD: 'GET' }), {});
    assert.deepEqual(proxyFromEnv({ HTTP_PROXY: '' }), {});
  });
});

describe('insecure registries', () => {
  it('are those that are listed, by exact host and port or by a range of addresses', () => {
    const list = new InsecureRegistries(['reg.example', 'reg.example:5000', '10.0.0.0/8', 'fd00::/8'], true);
    const all = {
      'reg.example': 'insecure',
      'REG.example:5000': 'insecure',
      'reg.example:5001': 'secure',
      'x.reg.example': 'secure',
      '10.1.2.3:5000': 'insecure',
      '11.1.2.3': 'secure',
      '[fd00::1]:5000': 'insecure',
      '127.0.0.1:5000': 'loopback',
      'localhost:5000': 'loopback',
      '[::1]': 'loopback',
      'localhost.example': 'secure',
      'docker.io': 'secure',
    };
    for (const [host, expected] of Object.entries(all)) assert.equal(list.of(host), expected, host);
    assert.equal(new InsecureRegistries([], false).of('127.0.0.1'), 'secure');
    for (const entry of ['', 'http://x', 'a/b', '10.0.0.0/33', 'x y', 1]) {
      throwsReason(() => new InsecureRegistries([entry as string], true), 'BAD_OPTION', 'insecureRegistries');
    }
  });
});

describe('addresses', () => {
  it('are judged by who named them', () => {
    const ask = (address: string, host: string, purpose: 'registry' | 'redirect', registry = 'r.example') =>
      mayConnect({ address, host, purpose, registry }, undefined);
    assert.equal(ask('169.254.169.254', '169.254.169.254', 'registry'), true);
    assert.equal(ask('169.254.169.254', 'r.example', 'registry'), false);
    for (const address of [
      '169.254.169.254',
      '::ffff:169.254.169.254',
      'fe80::1',
      '0.0.0.0',
      '::',
      '224.0.0.1',
      'fd00:ec2::254',
      '127.0.0.1',
      '::1',
      '::ffff:127.0.0.1',
    ]) {
      assert.equal(ask(address, address, 'redirect'), false, address);
    }
    assert.equal(ask('127.0.0.1', '127.0.0.1', 'redirect', 'localhost:5000'), true);
    assert.equal(ask('10.0.0.1', 'storage.example', 'redirect'), true);
    assert.equal(ask('10.0.0.1', 'localhost', 'registry'), false);
    assert.deepEqual(['[::1]:5000', '[::1]', 'A.b:5', 'a'].map(bareHost), ['::1', '::1', 'a.b', 'a']);
    assert.equal(isLoopbackHost('127.0.0.1.example'), false);
  });
});

describe('token servers', () => {
  const rules = { insecure: new InsecureRegistries(['lab.example'], true), tokenServers: new Set(['trusted.example']) };
  const ask = (realm: string, origin: string, withCredentials = true) =>
    checkRealm(realm, { origin: new URL(origin), registry: new URL(origin).host, withCredentials }, rules).href;

  it('get credentials when they are the registry, of its domain, or trusted', () => {
    for (const [realm, origin] of [
      ['https://r.example/token', 'https://r.example'],
      ['https://r.example:5000/token', 'https://r.example:5000'],
      ['https://r.example/token', 'https://r.example:5000'],
      ['https://gitlab.com/jwt/auth', 'https://registry.gitlab.com'],
      ['https://auth.r.example/token', 'https://r.example'],
      ['https://trusted.example/token', 'https://r.example'],
      ['http://127.0.0.1:5000/token', 'http://127.0.0.1:5000'],
    ] as const) {
      assert.equal(ask(realm, origin), realm);
    }
    const hub = { origin: new URL('https://registry-1.docker.io'), registry: 'docker.io', withCredentials: true };
    assert.equal(checkRealm('https://auth.docker.io/token', hub, rules).host, 'auth.docker.io');
  });

  it('get none otherwise', () => {
    for (const [realm, origin] of [
      ['https://evil.example/token', 'https://r.example'],
      ['https://r.example:6000/token', 'https://r.example:5000'],
      ['https://example/token', 'https://xexample'],
      ['https://com/token', 'https://a.com.'],
      ['https://0.0.1/token', 'https://10.0.0.1'],
      ['http://r.example/token', 'https://r.example'],
      ['http://127.0.0.1/token', 'https://r.example'],
      ['http://127.0.0.1:1/token', 'http://127.0.0.1:5000'],
      ['http://lab.example/token', 'https://r.example'],
    ] as const) {
      throwsReason(() => ask(realm, origin), 'REGISTRY_UNTRUSTED_REALM');
    }
    assert.equal(ask('https://evil.example/token', 'https://r.example', false), 'https://evil.example/token');
  });
});

describe('options', () => {
  it('of mirrors become endpoints', () => {
    const mirrors = parseMirrors({
      'index.docker.io': ['https://m.example:5000', { url: 'http://n.example/v2/hub/', isTrusted: true }],
    });
    assert.deepEqual(
      mirrors.get('docker.io')?.map(({ host, scheme, prefix, isTrusted }) => ({ host, scheme, prefix, isTrusted })),
      [
        { host: 'm.example:5000', scheme: 'https:', prefix: '', isTrusted: false },
        { host: 'n.example', scheme: 'http:', prefix: 'hub/', isTrusted: true },
      ],
    );
    for (const wrong of [
      { 'a/b': [] },
      { a: 'https://m' },
      { a: ['m.example'] },
      { a: ['ftp://m'] },
      { a: ['https://u:secret@m'] },
      { a: ['https://m/?x'] },
      { a: [{}] },
    ]) {
      const error = throwsReason(() => parseMirrors(wrong as never), 'BAD_OPTION', 'mirrors');
      assert.ok(!error.message.includes('secret'));
    }
  });

  it('of limits are whole numbers', () => {
    assert.equal(resolveLimits({ attempts: 2 }).attempts, 2);
    for (const wrong of [
      { attempts: 0 },
      { idleTimeoutMs: -1 },
      { retryDelayMs: 1.5 },
      { connectTimeoutMs: Number.NaN },
      { headersTimeoutMs: '5' },
    ]) {
      throwsReason(() => resolveLimits(wrong as never), 'BAD_OPTION');
    }
    throwsReason(() => resolveLimits({ attempt: 1 } as never), 'UNKNOWN_OPTION');
  });
});

describe('secrets', () => {
  it('are found in each form in which they travel, and the oldest are forgotten some day', () => {
    const secrets = new Secrets();
    secrets.add('p/ss wörd"');
    for (const form of [
      'p/ss wörd"',
      encodeURIComponent('p/ss wörd"'),
      Buffer.from('p/ss wörd"').toString('base64'),
      JSON.stringify('p/ss wörd"'),
    ]) {
      assert.equal(secrets.redact(`a ${form} b`).replaceAll('"', ''), 'a [redacted] b');
    }
    for (let n = 0; n < 1000; n++) secrets.add(`token number ${n}`);
    assert.equal(secrets.redact('token number 999'), '[redacted]');
  });
});
