// Named after the numbers of the threat list: digest confusion (42), ambiguous and malformed documents (43, 44),
// credential leaks (45), mirrors and names (46), TLS (48), forged requests and rebinding (49).
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { inspect } from 'node:util';
import { EngineError } from '#src/errors/index.js';
import type { RegistryClient, RegistryClientOptions } from '#src/registry/index.js';
import { makeTestCertificates } from '#support/plugins/test-certificates.js';
import { readAll, rejectsReason, testBlob, testClient } from '#support/registry/client-lab.js';
import { type FaultProxy, startFaultProxy } from '#support/registry/fault-proxy.js';
import { tempDir } from '#support/roots.js';

const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
const AUTH = { username: 'ann', password: 'hunter2-and-more' };
const BASIC = `Basic ${Buffer.from(`${AUTH.username}:${AUTH.password}`).toString('base64')}`;
const DIGEST = `sha256:${'a'.repeat(64)}`;

const json = (value: unknown) => ({ headers: { 'Content-Type': MANIFEST_TYPE }, body: JSON.stringify(value) });

/** A registry that does nothing but what a test tells it; it asks for `challenge` where there is no Authorization. */
async function evilRegistry(t: TestContext, challenge?: string): Promise<FaultProxy> {
  const registry = await startFaultProxy(t, {});
  registry.add({ path: /^\/v2\/$/, times: 1, fault: { kind: 'status', status: 200, body: '{}' } });
  if (challenge !== undefined) {
    const headers = { 'WWW-Authenticate': challenge };
    registry.add({ path: /./, times: 1, fault: { kind: 'status', status: 401, headers } });
  }
  return registry;
}

const withAuth = (t: TestContext, registry: FaultProxy, options: RegistryClientOptions = {}) =>
  testClient(t, { credentials: { registries: { [registry.host]: AUTH } }, ...options });

const authorizations = (server: FaultProxy) => server.requests.map(({ headers }) => headers['authorization']);

/** Nothing of a secret is in an error, however it is shown. */
function assertClean(error: unknown, secrets: readonly string[]): void {
  const shown = [inspect(error, { depth: 20 }), JSON.stringify(error), String((error as Error).stack)];
  for (let cause = error as { cause?: unknown } | undefined; cause !== undefined; cause = cause.cause as never) {
    shown.push(inspect(cause, { depth: 20, showHidden: true }), String(cause));
  }
  for (const secret of secrets) for (const text of shown) assert.ok(!text.includes(secret), `${secret} in ${text}`);
}

describe('42: digests', () => {
  it('are checked before they become part of a path', async (t) => {
    const registry = await evilRegistry(t);
    const client = testClient(t);
    const repository = { registry: registry.host, repository: 'a' };
    for (const digest of [
      'sha256:../../x',
      `sha256:${'A'.repeat(64)}`,
      `sha256:${'a'.repeat(63)}`,
      `sha256:${'\u0661'.repeat(64)}`,
      `sha512:${'a'.repeat(128)}`,
      `md5:${'a'.repeat(32)}`,
      `${DIGEST}\n`,
      '',
    ]) {
      await rejectsReason(client.blob(repository, digest), 'BAD_DIGEST');
      await rejectsReason(client.manifest({ ...repository, digest }), 'BAD_DIGEST');
      await rejectsReason(client.headBlob(repository, digest), 'BAD_DIGEST');
      await rejectsReason(client.mountBlob(repository, digest, 'b'), 'BAD_DIGEST');
      await rejectsReason(client.referrers(repository, digest), 'BAD_DIGEST');
      await rejectsReason(client.uploadBlob(repository, { ...testBlob('x'), digest }), 'BAD_DIGEST');
    }
    assert.equal(registry.requests.length, 0);
  });

  it('are those of the bytes that came: wrong body, trailing bytes, a header that lies, another body next time', async (t) => {
    const registry = await evilRegistry(t);
    const client = testClient(t);
    const right = testBlob(JSON.stringify({ schemaVersion: 2 }));
    const reference = { registry: registry.host, repository: 'a' };
    const answer = (body: string | Buffer, digest?: string) =>
      registry.add({
        path: /manifests/,
        times: 1,
        fault: {
          kind: 'status',
          status: 200,
          headers: { 'Content-Type': MANIFEST_TYPE, ...(digest !== undefined && { 'Docker-Content-Digest': digest }) },
          body,
        },
      });
    answer('{"schemaVersion":3}', right.digest);
    await rejectsReason(client.manifest({ ...reference, digest: right.digest }), 'DIGEST_MISMATCH');
    answer(`${right.bytes.toString()} `, right.digest);
    await rejectsReason(client.manifest({ ...reference, digest: right.digest }), 'DIGEST_MISMATCH');
    answer(right.bytes, DIGEST);
    await rejectsReason(client.manifest({ ...reference, tag: 'x' }), 'DIGEST_MISMATCH');
    answer(right.bytes, 'sha256:../../x');
    assert.equal((await client.manifest({ ...reference, tag: 'x' })).digest, right.digest);
    answer(right.bytes);
    assert.equal((await client.manifest({ ...reference, digest: right.digest })).digest, right.digest);
    // What the registry says of a manifest that it received counts for nothing.
    registry.add({
      method: 'PUT',
      fault: { kind: 'status', status: 201, headers: { 'Docker-Content-Digest': DIGEST } },
    });
    const put = client.putManifest({ ...reference, tag: 'x' }, { mediaType: MANIFEST_TYPE, bytes: right.bytes });
    await rejectsReason(put, 'DIGEST_MISMATCH');
  });
});

describe('43, 44: documents', () => {
  it('that are too large are not read to their end, announced or not', async (t) => {
    const registry = await evilRegistry(t);
    const client = testClient(t);
    const body = Buffer.alloc(5 * 1024 * 1024, ' ');
    const path = /manifests/;
    registry.add({ path, times: 1, fault: { kind: 'status', status: 200, body } });
    registry.add({
      path,
      times: 1,
      fault: { kind: 'status', status: 200, headers: { 'Transfer-Encoding': 'chunked' }, body },
    });
    for (let n = 0; n < 2; n++) {
      await rejectsReason(client.manifest({ registry: registry.host, repository: 'a', tag: 'x' }), 'BAD_MANIFEST');
    }
  });

  it('of the wrong kind are no manifest, no tags, no referrers and no token', async (t) => {
    const registry = await evilRegistry(t);
    const client = testClient(t);
    const repository = { registry: registry.host, repository: 'a' };
    const bodies = [
      '',
      'null',
      '[]',
      '1',
      '"x"',
      '<html>',
      '{',
      '{"tags":{}}',
      '{"tags":[null]}',
      '{"manifests":[null]}',
      '\u0000',
    ];
    for (const body of bodies) {
      registry.clear();
      registry.add({ path: /^\/v2\/$/, fault: { kind: 'status', status: 200 } });
      registry.add({
        path: /./,
        fault: { kind: 'status', status: 200, headers: { 'Content-Type': 'text/html' }, body },
      });
      const outcome = async (work: Promise<unknown>) => {
        const error = await work.then(
          () => undefined,
          (error: unknown) => error,
        );
        if (error !== undefined) assert.ok(EngineError.is(error), String(error));
        return EngineError.is(error) ? error.reason : 'works';
      };
      const isObject = body.startsWith('{"');
      assert.equal(
        await outcome(client.manifest({ ...repository, tag: 'x' })),
        isObject ? 'works' : 'REGISTRY_BAD_ANSWER',
      );
      const tags = await outcome(readAll(client.tags(repository) as unknown as AsyncIterable<Uint8Array>));
      assert.equal(tags, body === '{"manifests":[null]}' ? 'works' : 'REGISTRY_BAD_ANSWER', body);
      const referrers = await outcome(client.referrers(repository, DIGEST));
      assert.equal(referrers, body.startsWith('{"tags"') ? 'works' : 'REGISTRY_BAD_ANSWER', body);
    }
    const schemaOne = { 'Content-Type': 'application/vnd.docker.distribution.manifest.v1+prettyjws; charset=utf-8' };
    registry.clear();
    registry.add({ path: /./, fault: { kind: 'status', status: 200, headers: schemaOne, body: '{}' } });
    await rejectsReason(client.manifest({ ...repository, tag: 'x' }), 'UNSUPPORTED_MEDIA_TYPE');
  });

  it('lists of tags lead nowhere else, and not in a circle', async (t) => {
    const registry = await evilRegistry(t);
    const other = await startFaultProxy(t, {});
    const client = testClient(t);
    const repository = { registry: registry.host, repository: 'a' };
    const page = (link: string, tags: string[]) =>
      registry.add({
        path: /tags/,
        times: 1,
        fault: { kind: 'status', status: 200, headers: { Link: link }, body: JSON.stringify({ tags }) },
      });
    const list = async () => {
      const found: string[] = [];
      for await (const tag of client.tags(repository, { pageSize: 2 })) found.push(tag);
      return found;
    };
    page('</v2/a/tags/list?n=2&last=b>; rel="next"', ['a', 'b']);
    page('', ['c']);
    assert.deepEqual(await list(), ['a', 'b', 'c']);
    for (const link of [
      `<${other.url}/v2/a/tags/list>; rel="next"`,
      '</v2/private/tags/list?n=2>; rel="next"',
      '</v2/a/tags/list/../../../token>; rel=next',
      `<http://x:y@${registry.host}/v2/a/tags/list>; rel=next`,
      '</v2/a/tags/list?n=2>; rel="next"',
      '<file:///etc/passwd>; rel="next"',
    ]) {
      page(link, ['a']);
      await rejectsReason(list(), 'REGISTRY_BAD_ANSWER');
    }
    assert.equal(other.requests.length, 0);
  });
});

describe('45: credentials', () => {
  it('do not follow a blob to another origin, and not back from there', async (t) => {
    const registry = await evilRegistry(t, 'Basic realm="x"');
    const storage = await startFaultProxy(t, {});
    const client = withAuth(t, registry);
    const blob = testBlob('the blob');
    registry.add({
      path: /blobs/,
      times: 1,
      fault: { kind: 'redirect', location: `${storage.url}/signed?sig=s3cr3t` },
    });
    registry.add({ path: /back/, fault: { kind: 'status', status: 200, body: blob.bytes } });
    storage.add({ fault: { kind: 'redirect', location: `${registry.url}/back` } });
    const repository = { registry: registry.host, repository: 'a' };
    assert.ok((await readAll(await client.blob(repository, blob.digest))).equals(blob.bytes));
    assert.deepEqual(authorizations(registry), [undefined, undefined, BASIC, undefined]);
    assert.deepEqual(authorizations(storage), [undefined]);

    // Asked for a password there, the client has none to give.
    storage.clear();
    registry.add({ path: /blobs/, fault: { kind: 'redirect', location: `${storage.url}/signed?sig=s3cr3t` } });
    const headers = { 'WWW-Authenticate': 'Basic realm="more"' };
    storage.add({ fault: { kind: 'status', status: 401, headers } });
    const error = await rejectsReason(client.blob(repository, blob.digest), 'REGISTRY_UNAUTHENTICATED');
    assert.deepEqual(authorizations(storage), [undefined]);
    assertClean(error, [AUTH.password, BASIC, 's3cr3t']);
  });

  it('do not follow an upload to another origin', async (t) => {
    const registry = await evilRegistry(t, 'Basic realm="x"');
    const storage = await startFaultProxy(t, {});
    const client = withAuth(t, registry);
    registry.add({
      method: 'POST',
      fault: { kind: 'status', status: 202, headers: { Location: `${storage.url}/up?x=1` } },
    });
    storage.add({ method: 'PUT', fault: { kind: 'status', status: 201 } });
    assert.equal(await client.uploadBlob({ registry: registry.host, repository: 'a' }, testBlob('small')), 'uploaded');
    assert.deepEqual(authorizations(storage), [undefined]);
    assert.match(storage.requests[0]?.path ?? '', /^\/up\?x=1&digest=sha256%3A/);
    registry.clear();
    registry.add({ fault: { kind: 'redirect', location: `${storage.url}/post` } });
    await rejectsReason(
      client.uploadBlob({ registry: registry.host, repository: 'a' }, testBlob('small')),
      'REGISTRY_BAD_ANSWER',
    );
    assert.equal(storage.requests.length, 1, 'a request that changes something is not redirected');
  });

  it('go to no place that a Location with a user, another scheme or plain http names', async (t) => {
    const registry = await evilRegistry(t);
    const client = testClient(t);
    const repository = { registry: registry.host, repository: 'a' };
    for (const location of [
      `http://user:pass@${registry.host}/x`,
      'file:///etc/passwd',
      'ftp://127.0.0.1/x',
      'data:text/plain,x',
      'http://registry.example/x',
      'http://',
    ]) {
      const remove = registry.add({ path: /blobs|uploads/, fault: { kind: 'redirect', location } });
      const error = await rejectsReason(client.blob(repository, DIGEST), 'REGISTRY_BAD_REDIRECT');
      assertClean(error, ['user:pass', 'pass@']);
      remove();
      const stop = registry.add({
        method: 'POST',
        fault: { kind: 'status', status: 202, headers: { Location: location } },
      });
      await rejectsReason(client.uploadBlob(repository, testBlob('x')), 'REGISTRY_BAD_REDIRECT');
      stop();
    }
    registry.add({ path: /blobs/, fault: { kind: 'redirect', location: '/v2/a/blobs/again' } });
    await rejectsReason(client.blob(repository, DIGEST), 'REGISTRY_BAD_ANSWER');
    const asked = registry.requests.filter(({ path }) => path.endsWith('again')).length;
    assert.equal(asked, 5, 'and not in a circle');
  });

  it('go to no token server of another host, unless the user trusts it', async (t) => {
    const tokens = await startFaultProxy(t, {});
    tokens.add({ fault: { kind: 'status', status: 200, body: JSON.stringify({ token: 'abc' }) } });
    const challenge = `Bearer realm="${tokens.url}/token",service="s",scope="repository:a:pull"`;
    const ask = async (options: RegistryClientOptions, isKnown: boolean) => {
      const registry = await evilRegistry(t, challenge);
      registry.add({ fault: { kind: 'status', status: 200, ...json({}) } });
      const client = isKnown ? withAuth(t, registry, options) : testClient(t, options);
      return client.manifest({ registry: registry.host, repository: 'a', tag: 'x' });
    };
    const error = await rejectsReason(ask({}, true), 'REGISTRY_UNTRUSTED_REALM');
    assert.equal(tokens.requests.length, 0);
    assertClean(error, [AUTH.password]);
    await ask({}, false);
    assert.deepEqual(authorizations(tokens), [undefined], 'without credentials, whoever gives tokens may');
    await ask({ tokenServers: [tokens.host] }, true);
    assert.deepEqual(authorizations(tokens), [undefined, BASIC]);
  });

  it('go to no token server that is not https, has a user in its URL, redirects, or is no server at all', async (t) => {
    const storage = await startFaultProxy(t, {});
    for (const [realm, reason] of [
      ['http://tokens.example/token', 'REGISTRY_UNTRUSTED_REALM'],
      ['http://169.254.169.254/latest/meta-data', 'REGISTRY_UNTRUSTED_REALM'],
      ['https://u:p@127.0.0.1/token', 'REGISTRY_UNTRUSTED_REALM'],
      ['file:///etc/passwd', 'REGISTRY_UNTRUSTED_REALM'],
      ['/token', 'REGISTRY_BAD_ANSWER'],
      ['', 'REGISTRY_BAD_ANSWER'],
    ] as const) {
      const registry = await evilRegistry(t, `Bearer realm="${realm}"`);
      const ask = (client: RegistryClient) => client.manifest({ registry: registry.host, repository: 'a', tag: 'x' });
      await rejectsReason(ask(withAuth(t, registry)), reason);
    }
    const registry = await evilRegistry(t);
    const headers = { 'WWW-Authenticate': `Bearer realm="${registry.url}/token"` };
    registry.add({ path: /manifests/, fault: { kind: 'status', status: 401, headers } });
    registry.add({ path: /token/, fault: { kind: 'redirect', location: storage.url } });
    const moved = withAuth(t, registry).manifest({ registry: registry.host, repository: 'a', tag: 'x' });
    await rejectsReason(moved, 'REGISTRY_BAD_REDIRECT');
    assert.equal(storage.requests.length, 0);
  });

  it('belong to one host and port, and to the repository they are for', async (t) => {
    const first = await evilRegistry(t, 'Basic realm="x"');
    const second = await evilRegistry(t, 'Basic realm="x"');
    const client = testClient(t, {
      credentials: {
        registries: {
          [first.host]: AUTH,
          [`${second.host}/team`]: AUTH,
          '127.0.0.1': { username: 'x', password: 'wrong' },
        },
      },
    });
    first.add({ fault: { kind: 'status', status: 200, ...json({}) } });
    await client.manifest({ registry: first.host, repository: 'a', tag: 'x' });
    assert.equal(authorizations(first).at(-1), BASIC);
    await rejectsReason(
      client.manifest({ registry: second.host, repository: 'teamwork/a', tag: 'x' }),
      'REGISTRY_UNAUTHENTICATED',
    );
    second.add({ fault: { kind: 'status', status: 200, ...json({}) } });
    await client.manifest({ registry: second.host, repository: 'team/a', tag: 'x' });
    assert.deepEqual(new Set(authorizations(second)), new Set([undefined, BASIC]));
  });

  it('given for a registry do not go to its mirrors', async (t) => {
    const registry = await evilRegistry(t);
    const mirror = await startFaultProxy(t, {});
    const headers = { 'WWW-Authenticate': 'Basic realm="x"' };
    mirror.add({ fault: { kind: 'status', status: 401, headers } });
    registry.add({ fault: { kind: 'status', status: 200, body: 'x' } });
    const client = withAuth(t, registry, { mirrors: { [registry.host]: [mirror.url] } });
    const repository = { registry: registry.host, repository: 'a' };
    const stream = await client.blob(repository, DIGEST, { auth: AUTH });
    stream.destroy();
    assert.deepEqual(authorizations(mirror), [undefined]);
  });

  it('are in no error, whatever a server repeats of them', async (t) => {
    const registry = await evilRegistry(t, 'Basic realm="x"');
    const body = `you sent ${BASIC} for ${AUTH.password}, in JSON ${JSON.stringify(AUTH)}`;
    registry.add({ path: /denied/, fault: { kind: 'status', status: 403, body } });
    registry.add({
      path: /errors/,
      fault: { kind: 'status', status: 400, ...json({ errors: [{ code: 'X', message: body }] }) },
    });
    registry.add({ path: /cut/, fault: { kind: 'status', status: 403, body: 'y'.repeat(495) + AUTH.password } });
    const client = withAuth(t, registry);
    for (const tag of ['denied', 'errors', 'cut']) {
      const error = await client.manifest({ registry: registry.host, repository: 'a', tag }).catch((error) => error);
      assert.match(error.details.answer, tag === 'cut' ? /^y+/ : /you sent/);
      assertClean(error, [AUTH.password, BASIC.slice(6), AUTH.password.slice(0, 5)]);
    }
    const secret = 'a-secret-that-is-no-header\n';
    for (const auth of [
      { username: 'a:b', password: secret },
      { identityToken: secret },
      { registryToken: secret },
      { username: '' },
    ]) {
      assertClean(await rejectsReason(client.ping(registry.host, { auth } as never), 'BAD_OPTION'), [secret.trim()]);
    }
    assertClean(client, [AUTH.password, BASIC.slice(6)]);
  });

  it('of a proxy are in no error either, and nobody else gets them', async (t) => {
    const proxy = await startFaultProxy(t, {});
    const url = `http://user:pr0xy-secret@${proxy.host}`;
    proxy.add({ times: 1, fault: { kind: 'status', status: 407 } });
    const client = testClient(t, {
      insecureRegistries: ['registry.example:5000'],
      proxy: { httpProxy: url, httpsProxy: url },
    });
    const error = await rejectsReason(client.ping('other.example'), 'REGISTRY_UNREACHABLE').catch((error) => error);
    assertClean(error, ['pr0xy-secret']);
    for (const bad of ['socks5://user:pr0xy-secret@host:1', 'http://user:pr0xy-secret@']) {
      const wrong = testClient(t, { proxy: { httpsProxy: bad } });
      assertClean(await rejectsReason(wrong.ping('other.example'), 'BAD_OPTION'), ['pr0xy-secret']);
    }
  });
});

describe('46: names and mirrors', () => {
  it('are by the grammar before anything is asked', async (t) => {
    const client = testClient(t);
    for (const registry of ['', 'a b', 'a/b', 'u@host', 'host:99999999', '..', 'h\u0301ost', 'host#', 'host?x']) {
      await rejectsReason(client.ping(registry), 'BAD_REFERENCE');
    }
    for (const repository of ['', 'A', '../x', 'a//b', 'a/', 'a?x=1', 'a#b', 'a%2fb', `${'a/'.repeat(128)}a`]) {
      await rejectsReason(client.headBlob({ registry: 'host', repository }, DIGEST), 'BAD_REFERENCE');
    }
    for (const tag of ['', '.a', 'a/b', 'a'.repeat(129), 'a?b', '../x']) {
      await rejectsReason(client.headManifest({ registry: 'host', repository: 'a', tag }), 'BAD_REFERENCE');
    }
  });

  it('a registry that fails is not replaced by another one', async (t) => {
    const registry = await evilRegistry(t);
    registry.add({ fault: { kind: 'status', status: 404 } });
    const asked: string[] = [];
    const client = testClient(t, {
      resolveHost: async (host) => {
        asked.push(host);
        return [];
      },
    });
    await rejectsReason(
      client.manifest({ registry: registry.host, repository: 'library/alpine', tag: 'x' }),
      'REGISTRY_NOT_FOUND',
    );
    assert.deepEqual(asked, []);
  });
});

describe('48: TLS', () => {
  it('of a registry that nobody vouches for is refused by every verb, also where the environment says otherwise', async (t) => {
    const dir = tempDir(t, 'tls');
    const certificates = await makeTestCertificates(t, join(dir, 'c'));
    if (certificates === undefined) return;
    mkdirSync(join(dir, 'r'));
    const registry = await startFaultProxy(t, { tls: certificates.server });
    const plain = await evilRegistry(t);
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
    t.after(() => delete process.env['NODE_TLS_REJECT_UNAUTHORIZED']);
    const client = testClient(t, {
      credentials: { registries: { [plain.host]: AUTH } },
      tokenServers: [registry.host],
    });
    const repository = { registry: registry.host, repository: 'a' };
    const blob = testBlob('x');
    for (const work of [
      () => client.ping(registry.host),
      () => client.manifest({ ...repository, tag: 'x' }),
      () => client.headManifest({ ...repository, tag: 'x' }),
      () => client.blob(repository, DIGEST),
      () => client.headBlob(repository, DIGEST),
      () => client.mountBlob(repository, DIGEST, 'b'),
      () => client.uploadBlob(repository, blob),
      () => client.putManifest({ ...repository, tag: 'x' }, { mediaType: MANIFEST_TYPE, bytes: blob.bytes }),
      () => client.deleteManifest({ ...repository, digest: DIGEST }),
      () => client.referrers(repository, DIGEST),
      () => readAll(client.tags(repository) as unknown as AsyncIterable<Uint8Array>),
    ]) {
      await rejectsReason(work(), 'REGISTRY_TLS_FAILED');
    }
    // Redirects and token servers are no back door.
    plain.add({ path: /blobs/, times: 1, fault: { kind: 'redirect', location: `${registry.url}/x` } });
    const from = { registry: plain.host, repository: 'a' };
    await rejectsReason(client.blob(from, DIGEST), 'REGISTRY_TLS_FAILED');
    const headers = { 'WWW-Authenticate': `Bearer realm="${registry.url}/token"` };
    plain.add({ path: /manifests/, fault: { kind: 'status', status: 401, headers } });
    await rejectsReason(client.manifest({ ...from, tag: 'x' }), 'REGISTRY_TLS_FAILED');
    assert.equal(registry.requests.length, 0);
  });
});

describe('49: forged requests', () => {
  it('go to no link-local address, and not from elsewhere to this machine', async (t) => {
    const registry = await startFaultProxy(t, {});
    const inside = await startFaultProxy(t, {});
    registry.add({ path: /^\/v2\/$/, fault: { kind: 'status', status: 200 } });
    const name = `registry.example:${registry.port}`;
    const addresses: Record<string, string> = {
      'registry.example': '127.0.0.1',
      'metadata.example': '169.254.169.254',
    };
    const client = testClient(t, {
      insecureRegistries: [name, `metadata.example:${inside.port}`, inside.host, '169.254.0.0/16'],
      proxy: false,
      resolveHost: async (host) => [{ address: addresses[host] ?? '127.0.0.1', family: 4 }],
    });
    for (const location of [
      'http://169.254.169.254/latest/meta-data',
      'http://[::ffff:169.254.169.254]/x',
      `http://metadata.example:${inside.port}/x`,
      `${inside.url}/x`,
    ]) {
      const remove = registry.add({ path: /blobs/, fault: { kind: 'redirect', location } });
      const error = await client.blob({ registry: name, repository: 'a' }, DIGEST).catch((error) => error);
      assert.ok(['REGISTRY_ADDRESS_REFUSED', 'REGISTRY_BAD_REDIRECT'].includes(error.reason), `${location}: ${error}`);
      remove();
    }
    await rejectsReason(client.ping(`metadata.example:${inside.port}`), 'REGISTRY_ADDRESS_REFUSED');
    assert.equal(inside.requests.length, 0);
  });

  it('a name is resolved once, and the connection goes where was looked', async (t) => {
    const registry = await startFaultProxy(t, {});
    registry.add({ path: /./, fault: { kind: 'status', status: 200, headers: { Connection: 'close' } } });
    const asked: string[] = [];
    const answers = ['127.0.0.1', '169.254.169.254'];
    const host = `rebinding.example:${registry.port}`;
    const questions: string[] = [];
    const client = testClient(t, {
      insecureRegistries: [host],
      resolveHost: async (name) => {
        asked.push(name);
        // TLS is tried first, then http: both see the first answer, later ones the second.
        return [{ address: answers[asked.length > 2 ? 1 : 0] as string, family: 4 }];
      },
      allowAddress: ({ address, purpose }) => {
        questions.push(`${purpose} ${address}`);
        return undefined;
      },
    });
    await rejectsReason(client.ping(host), 'REGISTRY_ADDRESS_REFUSED');
    assert.deepEqual(questions, ['registry 127.0.0.1', 'registry 127.0.0.1', 'registry 169.254.169.254']);
    const closed = testClient(t, { allowAddress: () => false });
    await rejectsReason(closed.ping(registry.host), 'REGISTRY_ADDRESS_REFUSED');
    const local = testClient(t, { resolveHost: async () => [{ address: '192.0.2.1', family: 4 }] });
    await rejectsReason(local.ping(`localhost:${registry.port}`), 'REGISTRY_ADDRESS_REFUSED');
  });
});
