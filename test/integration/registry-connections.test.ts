import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { makeTestCertificates } from '#support/plugins/test-certificates.js';
import { PROJECT } from '#support/project.js';
import { readAll, rejectsReason, testBlob, testClient } from '#support/registry/client-lab.js';
import { startConnectProxy } from '#support/registry/connect-proxy.js';
import { startFaultProxy } from '#support/registry/fault-proxy.js';
import { registryDir, startRegistry } from '#support/registry/registry-process.js';
import { tempDir } from '#support/roots.js';
import { run } from '#support/run.js';

describe('proxies', () => {
  it('carry https by CONNECT and http by whole URLs, with their own password', async (t) => {
    const dir = registryDir(t);
    const certificates = await makeTestCertificates(t, join(dir, 'c'));
    if (certificates === undefined) return;
    const { other, ca, read } = certificates;
    const plain = await startRegistry(t, { dir: join(dir, 'plain') });
    if (plain === undefined) return;
    const secure = await startFaultProxy(t, { upstream: plain.url, tls: other });
    const proxy = await startConnectProxy(t);
    const url = `http://user:p%20w@${proxy.host}`;
    const http = `plain.example:${plain.port}`;
    const https = `other.example:${secure.port}`;
    const client = testClient(t, {
      proxy: { httpProxy: url, httpsProxy: url },
      insecureRegistries: [http],
      tls: { [https]: { ca: read(ca) } },
    });
    const blob = testBlob(300_000);
    for (const registry of [http, https]) {
      const repository = { registry, repository: 'a' };
      assert.equal(await client.uploadBlob(repository, blob, { chunkBytes: 100_000 }), 'uploaded');
      assert.ok((await readAll(await client.blob(repository, blob.digest))).equals(blob.bytes));
    }
    const authorization = `Basic ${Buffer.from('user:p w').toString('base64')}`;
    assert.ok(proxy.calls.every((call) => call.authorization === authorization));
    assert.ok(proxy.calls.some(({ line }) => line === `GET http://${http}/v2/a/blobs/${blob.digest}`));
    assert.ok(proxy.calls.some(({ line }) => line === `CONNECT ${https}`));
    assert.ok(secure.requests.every(({ headers }) => headers['proxy-authorization'] === undefined));
    assert.ok(!proxy.calls.some(({ line }) => line.includes(`https://${https}`)));

    proxy.refuseWith = 407;
    const refused = testClient(t, { proxy: { httpsProxy: url } });
    const error = await rejectsReason(refused.ping(https), 'REGISTRY_PROXY_FAILED');
    assert.deepEqual([error.details['status'], error.details['proxy']], [407, proxy.host]);
    proxy.refuseWith = undefined;
    await rejectsReason(refused.ping(https), 'REGISTRY_TLS_FAILED');
    const calls = proxy.calls.length;
    const direct = testClient(t, { proxy: { httpProxy: url, httpsProxy: url, noProxy: '127.0.0.0/8' } });
    await direct.ping(plain.host);
    assert.equal(proxy.calls.length, calls);
  });
});

describe('a client', () => {
  it('keeps no process alive, closed or not, and opens one connection for calls in a row', async (t) => {
    const registry = await startFaultProxy(t, {});
    registry.add({ path: /^\/v2\/$/, fault: { kind: 'status', status: 200, body: '{}' } });
    registry.add({ path: /manifests/, fault: { kind: 'hang' } });
    const dir = tempDir(t, 'process');
    const index = pathToFileURL(join(PROJECT, 'dist/registry/index.js')).href;
    for (const [name, code] of [
      ['idle', ''],
      [
        'closed',
        `const waiting = client.manifest({ registry, repository: 'a' }).catch((error) => console.log(error.reason));
        await new Promise((resolve) => setTimeout(resolve, 100)); await client.close(); await waiting;`,
      ],
    ]) {
      const file = join(dir, `${name}.mjs`);
      writeFileSync(
        file,
        `import { RegistryClient } from '${index}';
         const registry = '${registry.host}';
         const client = new RegistryClient({ env: {}, certsDirs: [] });
         for (let n = 0; n < 5; n++) await client.ping(registry);
         ${code}`,
      );
      const startedAt = performance.now();
      const { code: status, stdout, stderr } = await run(process.execPath, [file], { timeoutMs: 10_000 });
      assert.equal(status, 0, stderr);
      assert.equal(stdout, name === 'closed' ? 'CLOSED\n' : '');
      assert.ok(performance.now() - startedAt < 4_000, `${name} took too long`);
      const pings = registry.requests.filter(({ path }) => path === '/v2/');
      assert.equal(pings.length, 6);
      assert.equal(new Set(pings.map(({ remotePort }) => remotePort)).size, 1);
      registry.requests.length = 0;
    }
  });
});
