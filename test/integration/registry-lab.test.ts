import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { makeTestCertificates } from '#support/plugins/test-certificates.js';
import { startFaultProxy } from '#support/registry/fault-proxy.js';
import { registryDir, startRegistry } from '#support/registry/registry-process.js';
import { seedImage } from '#support/registry/seed-image.js';
import { startTokenServer } from '#support/registry/token-server.js';
import { runOk } from '#support/run.js';

const basic = (user: string, password: string) => ({
  Authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
});

describe('the registries of the tests', () => {
  it('keep what is put into them, over a restart, and go with their process', async (t) => {
    const first = await startRegistry(t, { dir: registryDir(t) });
    if (first === undefined) return;
    const image = await seedImage(first.url, 'some/image', 'one');
    const registry = await first.restart();
    const answer = await fetch(`${registry.url}/v2/some/image/manifests/one`, { headers: { Accept: image.mediaType } });
    assert.equal(answer.headers.get('docker-content-digest'), image.digest);
    assert.deepEqual(Buffer.from(await answer.arrayBuffer()), image.manifest);
    await registry.stop();
    await assert.rejects(fetch(registry.url));
    assert.throws(() => process.kill(registry.pid, 0), { code: 'ESRCH' });
  });

  it('ask for a password', async (t) => {
    const registry = await startRegistry(t, { dir: registryDir(t), users: { ann: 'her secret' } });
    if (registry === undefined) return;
    assert.equal((await fetch(`${registry.url}/v2/`)).status, 401);
    assert.equal((await fetch(`${registry.url}/v2/`, { headers: basic('ann', 'wrong') })).status, 401);
    assert.equal((await fetch(`${registry.url}/v2/`, { headers: basic('ann', 'her secret') })).status, 200);
  });

  it('ask for a token, which a password or an identity token buys', async (t) => {
    const dir = registryDir(t);
    const tokens = await startTokenServer(t, { dir, users: { ann: 'pw' }, refreshTokens: { idtoken: 'ann' } });
    if (tokens === undefined) return;
    const registry = await startRegistry(t, { dir, token: tokens });
    if (registry === undefined) return;
    const refused = await fetch(`${registry.url}/v2/`);
    assert.match(
      refused.headers.get('www-authenticate') ?? '',
      /^Bearer realm="http:.*",service="registry of the tests"/,
    );
    const scope = 'repository:a/b:pull,push';
    const query = new URLSearchParams({ service: tokens.service, scope });
    const got = await fetch(`${tokens.realm}?${query}`, { headers: basic('ann', 'pw') });
    const { token } = (await got.json()) as { token: string };
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: 'idtoken',
      service: tokens.service,
      scope,
    });
    const posted = await fetch(tokens.realm, { method: 'POST', body: form });
    const { access_token } = (await posted.json()) as { access_token: string };
    for (const bearer of [token, access_token]) {
      const headers = { Authorization: `Bearer ${bearer}` };
      const start = await fetch(`${registry.url}/v2/a/b/blobs/uploads/`, { method: 'POST', headers });
      assert.equal(start.status, 202, registry.log());
    }
    assert.equal((await fetch(`${tokens.realm}?${query}`, { headers: basic('ann', 'no') })).status, 401);
  });

  it('speak TLS, also with a client certificate', async (t) => {
    const dir = registryDir(t);
    const certificates = await makeTestCertificates(t, join(dir, 'certificates'));
    if (certificates === undefined) return;
    mkdirSync(join(dir, 'open'));
    mkdirSync(join(dir, 'strict'));
    const open = await startRegistry(t, { dir: join(dir, 'open'), tls: certificates.server });
    if (open === undefined) return;
    const strict = await startRegistry(t, {
      dir: join(dir, 'strict'),
      tls: { ...certificates.server, clientCa: certificates.ca },
    });
    const curl = (url: string, ...args: string[]) =>
      runOk('openssl', ['s_client', '-connect', url, '-CAfile', certificates.ca, '-verify_return_error', ...args], {
        input: 'GET /v2/ HTTP/1.0\r\n\r\n',
      });
    assert.match(await curl(open.host, '-ign_eof'), /200 OK/);
    const identity = ['-cert', certificates.client.cert, '-key', certificates.client.key];
    assert.match(await curl(strict?.host ?? '', '-ign_eof', ...identity), /200 OK/);
    await assert.rejects(curl(strict?.host ?? '', '-ign_eof'));
  });

  it('mirror another one', async (t) => {
    const dir = registryDir(t);
    const origin = await startRegistry(t, { dir: join(dir, 'origin') });
    if (origin === undefined) return;
    const image = await seedImage(origin.url, 'library/thing', 'one');
    const mirror = await startRegistry(t, { dir: join(dir, 'mirror'), mirrorOf: origin.url });
    const answer = await fetch(`${mirror?.url}/v2/library/thing/blobs/${image.config.digest}`);
    assert.deepEqual(Buffer.from(await answer.arrayBuffer()), image.config.bytes);
  });
});

describe('the fault proxy', () => {
  it('passes all through, uploads and their places too, until told otherwise', async (t) => {
    const registry = await startRegistry(t, { dir: registryDir(t) });
    if (registry === undefined) return;
    const proxy = await startFaultProxy(t, { upstream: registry.url });
    const layer = Buffer.alloc(300_000, 'abcdefg');
    const image = await seedImage(proxy.url, 'a/b', 'one', [layer]);
    const url = `${proxy.url}/v2/a/b/blobs/${image.layers[0]?.digest}`;
    const read = async (headers: Record<string, string> = {}) => {
      const answer = await fetch(url, { headers });
      return { status: answer.status, bytes: Buffer.from(await answer.arrayBuffer()), headers: answer.headers };
    };
    assert.deepEqual((await read()).bytes, layer);
    assert.equal((await read({ Range: 'bytes=299990-' })).status, 206);

    proxy.add({ path: /blobs/, times: 1, fault: { kind: 'status', status: 429, headers: { 'Retry-After': '1' } } });
    proxy.add({ path: /blobs/, times: 1, fault: { kind: 'cut', afterBytes: 1000 } });
    proxy.add({ path: /blobs/, times: 1, fault: { kind: 'wrong-byte', at: 100_000 } });
    proxy.add({ path: /blobs/, times: 1, fault: { kind: 'ignore-range' } });
    proxy.add({ path: /blobs/, times: 1, fault: { kind: 'headers', headers: { ETag: '"other"' } } });
    proxy.add({ path: /blobs/, times: 1, fault: { kind: 'reset' } });
    proxy.add({ path: /blobs/, times: 1, fault: { kind: 'redirect', location: `${registry.url}/v2/` } });
    assert.equal((await read()).headers.get('retry-after'), '1');
    await assert.rejects(read());
    const { bytes } = await read();
    assert.deepEqual([bytes.length, bytes.equals(layer)], [layer.length, false]);
    assert.equal((await read({ Range: 'bytes=299990-' })).status, 200);
    assert.equal((await read()).headers.get('etag'), '"other"');
    await assert.rejects(read());
    assert.equal((await read()).bytes.toString(), '{}');
    assert.deepEqual((await read()).bytes, layer);
    const cut = proxy.requests.find((request) => request.sentBytes === 1000);
    assert.equal(cut?.status, 200);
  });
});
