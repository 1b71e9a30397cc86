import assert from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, it, type TestContext } from 'node:test';
import type { RegistryClientOptions } from '#src/registry/index.js';
import { readAll, rejectsReason, testBlob, testClient } from '#support/registry/client-lab.js';
import { startFaultProxy } from '#support/registry/fault-proxy.js';
import { registryDir, startRegistry } from '#support/registry/registry-process.js';
import { startResumingRegistry } from '#support/registry/resuming-registry.js';
import { seedBlob, seedImage } from '#support/registry/seed-image.js';

/** A registry with one blob behind a fault proxy, and a client that knows only the proxy. */
async function bed(t: TestContext, options: RegistryClientOptions = {}, size = 3_000_000) {
  const registry = await startRegistry(t, { dir: registryDir(t) });
  if (registry === undefined) return undefined;
  const proxy = await startFaultProxy(t, { upstream: registry.url });
  const blob = testBlob(size);
  await seedBlob(registry.url, 'a', blob.bytes);
  const client = testClient(t, options);
  return { registry, proxy, blob, client, repository: { registry: proxy.host, repository: 'a' } };
}

const blobGets = (proxy: { requests: readonly { method: string; path: string }[] }) =>
  proxy.requests.filter(({ method, path }) => method === 'GET' && path.includes('/blobs/sha256:'));

describe('reading a blob goes on', () => {
  it('where a connection broke, and fetches nothing twice', async (t) => {
    const lab = await bed(t);
    if (lab === undefined) return;
    const { proxy, blob, client, repository } = lab;
    const at = [100_000, 1_200_000, 1_500_000];
    for (const [n, afterBytes] of [100_000, 1_100_000, 300_000].entries()) {
      proxy.add({ path: /blobs\/sha256/, times: 1, fault: { kind: 'cut', afterBytes } });
      assert.ok(n < 3);
    }
    const read = await readAll(await client.blob(repository, blob.digest, { size: blob.size }));
    assert.ok(read.equals(blob.bytes));
    assert.deepEqual(
      blobGets(proxy).map((request) => (request as { headers?: { range?: string } }).headers?.range),
      [undefined, ...at.map((byte) => `bytes=${byte}-`)],
    );
  });

  it('when the registry ignores ranges, or claims wrong ones: all again, without what is there', async (t) => {
    const lab = await bed(t);
    if (lab === undefined) return;
    const { proxy, blob, client, repository } = lab;
    const contentRanges = [
      undefined,
      'nonsense',
      `bytes 0-${blob.size - 1}/${blob.size}`,
      `bytes 1000001-${blob.size - 1}/${blob.size}`,
      `bytes 1000000-${blob.size - 2}/${blob.size}`,
    ];
    for (const fault of [
      { kind: 'ignore-range' as const },
      ...contentRanges.map((value) => ({ kind: 'headers' as const, headers: { 'Content-Range': value } })),
      { kind: 'status' as const, status: 416 },
    ]) {
      proxy.clear();
      proxy.add({ path: /blobs/, times: 1, fault: { kind: 'cut', afterBytes: 1_000_000 } });
      proxy.add({ path: /blobs/, times: 1, fault });
      assert.ok((await readAll(await client.blob(repository, blob.digest))).equals(blob.bytes), JSON.stringify(fault));
      proxy.clear();
      proxy.add({ path: /blobs/, times: 1, fault });
      const rest = await readAll(await client.blob(repository, blob.digest, { offset: 1_000_000 }));
      assert.ok(rest.equals(blob.bytes.subarray(1_000_000)), JSON.stringify(fault));
    }
  });

  it('not when the blob became another one: changed tag, changed size', async (t) => {
    const lab = await bed(t);
    if (lab === undefined) return;
    const { proxy, blob, client, repository } = lab;
    proxy.add({ path: /blobs/, times: 1, fault: { kind: 'cut', afterBytes: 1000 } });
    proxy.add({ path: /blobs/, times: 1, fault: { kind: 'headers', headers: { ETag: '"another"' } } });
    await rejectsReason(readAll(await client.blob(repository, blob.digest)), 'REGISTRY_BLOB_CHANGED');
    proxy.clear();
    proxy.add({ path: /blobs/, times: 1, fault: { kind: 'cut', afterBytes: 1000 } });
    const longer = `bytes 1000-${blob.size}/${blob.size + 1}`;
    proxy.add({ path: /blobs/, times: 1, fault: { kind: 'headers', headers: { 'Content-Range': longer } } });
    await rejectsReason(readAll(await client.blob(repository, blob.digest)), 'SIZE_MISMATCH');
  });

  it('after a silence, which is only one when somebody reads', async (t) => {
    const lab = await bed(t, { limits: { idleTimeoutMs: 200 } });
    if (lab === undefined) return;
    const { proxy, blob, client, repository } = lab;
    proxy.add({ path: /blobs/, times: 1, fault: { kind: 'stall', afterBytes: 1_500_000 } });
    assert.ok((await readAll(await client.blob(repository, blob.digest))).equals(blob.bytes));
    assert.equal(blobGets(proxy).length, 2);
    const stream = await client.blob(repository, blob.digest);
    stream.read(0);
    await new Promise((resolve) => setTimeout(resolve, 600));
    assert.ok((await readAll(stream)).equals(blob.bytes));
    assert.equal(blobGets(proxy).length, 3, 'the reader that rests costs no connection');
    proxy.add({ path: /blobs/, fault: { kind: 'stall', afterBytes: 1000 } });
    await rejectsReason(readAll(await client.blob(repository, blob.digest)), 'REGISTRY_TIMEOUT');
  });

  it('only so often without progress, and as often as it likes with it', async (t) => {
    const lab = await bed(t, { limits: { attempts: 3 } }, 5_000_000);
    if (lab === undefined) return;
    const { proxy, blob, client, repository } = lab;
    const forever = proxy.add({ path: /blobs/, fault: { kind: 'cut', afterBytes: 1_048_576 } });
    assert.ok((await readAll(await client.blob(repository, blob.digest))).equals(blob.bytes));
    assert.equal(blobGets(proxy).length, 5);
    forever();
    proxy.clear();
    proxy.add({ path: /blobs/, fault: { kind: 'cut', afterBytes: 1000 } });
    await rejectsReason(readAll(await client.blob(repository, blob.digest)), 'REGISTRY_UNREACHABLE');
    assert.equal(blobGets(proxy).length, 3);
  });

  it('over a restart of the registry, and ends when that stays away', async (t) => {
    // More than the buffers of a connection hold.
    const lab = await bed(t, {}, 30_000_000);
    if (lab === undefined) return;
    const { registry, proxy, blob, client } = lab;
    const repository = { registry: registry.host, repository: 'a' };
    const stream = await client.blob(repository, blob.digest);
    const iterator = stream[Symbol.asyncIterator]();
    const first = (await iterator.next()).value as Buffer;
    const again = await registry.restart();
    const rest = await readAll({ [Symbol.asyncIterator]: () => iterator });
    assert.ok(Buffer.concat([first, rest]).equals(blob.bytes));
    const gone = await client.blob(repository, blob.digest);
    await again.stop();
    await rejectsReason(readAll(gone), 'REGISTRY_UNREACHABLE');
    assert.equal(proxy.requests.length, 0);
  });

  it('not past the size that was announced, and not with bytes behind it', async (t) => {
    const lab = await bed(t);
    if (lab === undefined) return;
    const { proxy, blob, client, repository } = lab;
    const chunked = { 'Content-Length': undefined, 'Transfer-Encoding': 'chunked' };
    proxy.add({ path: /blobs/, times: 2, fault: { kind: 'headers', headers: chunked } });
    await rejectsReason(readAll(await client.blob(repository, blob.digest, { size: blob.size - 1 })), 'SIZE_MISMATCH');
    assert.ok((await readAll(await client.blob(repository, blob.digest))).equals(blob.bytes));
    proxy.add({ path: /blobs/, times: 1, fault: { kind: 'headers', headers: { 'Content-Encoding': 'gzip' } } });
    await rejectsReason(client.blob(repository, blob.digest), 'REGISTRY_BAD_ANSWER');
  });
});

describe('a call is tried again', () => {
  it('after 429 when the registry says, after 5xx with growing waits, after a reset; and not for ever', async (t) => {
    const lab = await bed(t, { limits: { attempts: 4 } });
    if (lab === undefined) return;
    const { proxy, client, repository, registry } = lab;
    const image = await seedImage(registry.url, 'a', 'one');
    const get = () => client.manifest({ ...repository, tag: 'one' });
    const path = /manifests/;
    proxy.add({ path, times: 1, fault: { kind: 'status', status: 429, headers: { 'Retry-After': '1' } } });
    const startedAt = performance.now();
    assert.equal((await get()).digest, image.digest);
    assert.ok(performance.now() - startedAt >= 990);
    proxy.add({ path, times: 1, fault: { kind: 'status', status: 503 } });
    proxy.add({ path, times: 1, fault: { kind: 'reset' } });
    proxy.add({ path, times: 1, fault: { kind: 'cut', afterBytes: 10 } });
    assert.equal((await get()).digest, image.digest);
    proxy.clear();
    const forever = proxy.add({ path, fault: { kind: 'status', status: 500, body: 'trouble' } });
    const failed = await rejectsReason(get(), 'REGISTRY_FAILED');
    assert.deepEqual([failed.details['status'], failed.details['answer']], [500, 'trouble']);
    assert.equal(proxy.requests.filter((request) => request.path.includes('manifests')).length, 4);
    forever();
    proxy.add({ path, fault: { kind: 'status', status: 429, headers: { 'Retry-After': '3600' } } });
    const limited = await rejectsReason(get(), 'REGISTRY_RATE_LIMITED');
    assert.equal(limited.details['retryAfterMs'], 3_600_000);
    assert.equal(limited.code, 'UNAVAILABLE');
  });

  it('not when there is nobody, and not for what no try can change', async (t) => {
    const lab = await bed(t);
    if (lab === undefined) return;
    const { proxy, client, repository } = lab;
    for (const [status, reason] of [
      [400, 'REGISTRY_REFUSED'],
      [403, 'REGISTRY_DENIED'],
      [404, 'REGISTRY_NOT_FOUND'],
      [405, 'REGISTRY_UNSUPPORTED'],
      [418, 'REGISTRY_REFUSED'],
    ] as const) {
      proxy.clear();
      proxy.add({ path: /manifests/, fault: { kind: 'status', status } });
      await rejectsReason(client.manifest({ ...repository, tag: 'x' }), reason);
      assert.equal(proxy.requests.filter((request) => request.path.includes('manifests')).length, 1);
    }
    await proxy.close();
    const startedAt = performance.now();
    const nobody = testClient(t, { limits: { retryDelayMs: 10_000 } });
    await rejectsReason(nobody.manifest({ ...repository, tag: 'x' }), 'REGISTRY_UNREACHABLE');
    assert.ok(performance.now() - startedAt < 2_000);
  });

  it('at once when a kept connection was closed meanwhile', async (t) => {
    const lab = await bed(t, { limits: { attempts: 1 } });
    if (lab === undefined) return;
    const { registry, proxy, client, repository, blob } = lab;
    await client.headBlob(repository, blob.digest);
    // What was open is reset; the next request finds that out.
    proxy.add({ method: 'HEAD', times: 1, fault: { kind: 'reset' } });
    assert.equal((await client.headBlob(repository, blob.digest))?.size, blob.size);
    assert.ok(registry.pid > 0);
  });
});

describe('an upload goes on', () => {
  it('or starts anew after a break, in one stream and in pieces', async (t) => {
    const lab = await bed(t);
    if (lab === undefined) return;
    const { proxy, client, repository } = lab;
    for (const options of [{}, { chunkBytes: 500_000 }]) {
      const blob = testBlob(2_000_000);
      proxy.clear();
      proxy.add({ method: 'PATCH', times: 1, fault: { kind: 'cut-request', afterBytes: 300_000 } });
      proxy.add({ method: 'PATCH', times: 1, after: 1, fault: { kind: 'status', status: 503 } });
      proxy.add({ method: 'PUT', times: 1, fault: { kind: 'reset' } });
      assert.equal(await client.uploadBlob(repository, blob, options), 'uploaded');
      assert.ok((await readAll(await client.blob(repository, blob.digest))).equals(blob.bytes));
      assert.ok(blob.opened.length >= 2);
    }
  });

  it('where it broke, at a registry that keeps what came', async (t) => {
    const registry = await startResumingRegistry(t, { minChunkBytes: 400_000 });
    const proxy = await startFaultProxy(t, { upstream: registry.url });
    const client = testClient(t);
    const repository = { registry: proxy.host, repository: 'a' };
    const blob = testBlob(2_000_000);
    proxy.add({ method: 'PATCH', times: 1, fault: { kind: 'cut-request', afterBytes: 900_000 } });
    proxy.add({ method: 'PUT', times: 1, fault: { kind: 'status', status: 502 } });
    assert.equal(await client.uploadBlob(repository, blob), 'uploaded');
    assert.ok(registry.blobs.get(blob.digest)?.equals(blob.bytes));
    assert.deepEqual(blob.opened, [0, 900_000]);
    assert.deepEqual(registry.calls, ['PATCH', 'GET', 'PATCH 900000-1999999', 'PUT']);
    const pieces = testBlob(1_000_000);
    proxy.clear();
    proxy.add({ method: 'PATCH', after: 1, times: 1, fault: { kind: 'cut-request', afterBytes: 100_000 } });
    // Smaller pieces than the registry takes: it says so, and gets larger ones.
    assert.equal(await client.uploadBlob(repository, pieces, { chunkBytes: 1000 }), 'uploaded');
    assert.ok(registry.blobs.get(pieces.digest)?.equals(pieces.bytes));
    assert.deepEqual(pieces.opened, [0, 400_000, 500_000, 900_000]);
  });

  it('when the last answer was lost: the blob is there', async (t) => {
    const lab = await bed(t);
    if (lab === undefined) return;
    const { proxy, client, repository } = lab;
    const blob = testBlob(200_000);
    for (const lost of [blob, testBlob(10)]) {
      proxy.clear();
      proxy.add({ method: 'PUT', times: 1, fault: { kind: 'lose-answer' } });
      assert.equal(await client.uploadBlob(repository, lost), 'uploaded');
      assert.equal(proxy.requests.filter(({ method }) => method === 'PUT').length, 1);
    }
  });

  it('only so often; what the caller opens may fail as it likes', async (t) => {
    const lab = await bed(t, { limits: { attempts: 3 } });
    if (lab === undefined) return;
    const { proxy, client, repository } = lab;
    const blob = testBlob(200_000);
    proxy.add({ method: 'PATCH', fault: { kind: 'reset' } });
    await assert.rejects(client.uploadBlob(repository, blob), { code: 'UNAVAILABLE' });
    proxy.clear();
    const broken = {
      ...blob,
      open: () =>
        Readable.from(
          (function* () {
            yield blob.bytes.subarray(0, 70_000);
            throw Object.assign(new Error('disk'), { code: 'EIO' });
          })(),
        ),
    };
    await assert.rejects(client.uploadBlob(repository, broken), { code: 'EIO' });
  });
});

describe('a call ends', () => {
  it('with the signal, whatever it waits for: connection, head, body, pause, upload', async (t) => {
    const lab = await bed(t);
    if (lab === undefined) return;
    const { proxy, client, repository, blob } = lab;
    const aborted = async (work: (signal: AbortSignal) => Promise<unknown>) => {
      const controller = new AbortController();
      const promise = work(controller.signal);
      promise.catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, 60));
      controller.abort();
      const startedAt = performance.now();
      await rejectsReason(promise, 'CANCELED');
      assert.ok(performance.now() - startedAt < 100);
    };
    await client.ping(proxy.host);
    proxy.add({ path: /manifests\/hang/, fault: { kind: 'hang' } });
    proxy.add({ path: /manifests\/stall/, fault: { kind: 'stall', afterBytes: 3 } });
    proxy.add({ path: /manifests\/busy/, fault: { kind: 'status', status: 429, headers: { 'Retry-After': '20' } } });
    proxy.add({ path: /blobs\/sha256/, fault: { kind: 'stall', afterBytes: 100 } });
    proxy.add({ method: 'PATCH', fault: { kind: 'hang' } });
    await seedImage(lab.registry.url, 'a', 'stall');
    for (const tag of ['hang', 'stall', 'busy'])
      await aborted((signal) => client.manifest({ ...repository, tag }, { signal }));
    await aborted(async (signal) => readAll(await client.blob(repository, blob.digest, { signal })));
    await aborted((signal) => client.uploadBlob(repository, testBlob(3_000_000), { signal }));
    await rejectsReason(client.ping(proxy.host, { signal: AbortSignal.abort() }), 'CANCELED');
    await rejectsReason(
      client.manifest({ ...repository, tag: 'hang' }, { signal: AbortSignal.timeout(50) }),
      'TIMED_OUT',
    );
  });

  it('with its limits: no head, no connection', async (t) => {
    const lab = await bed(t, { limits: { headersTimeoutMs: 100, attempts: 1 } });
    if (lab === undefined) return;
    const { proxy, client, repository } = lab;
    proxy.add({ path: /manifests/, fault: { kind: 'hang' } });
    const error = await rejectsReason(client.manifest({ ...repository, tag: 'x' }), 'REGISTRY_TIMEOUT');
    assert.equal(error.details['limit'], 'headersTimeoutMs');
    const { createServer } = await import('node:net');
    // It takes connections and never says a word: TLS does not come about.
    const mute = createServer(() => {}).listen(0, '127.0.0.1');
    await once(mute, 'listening');
    t.after(() => mute.close());
    const host = `127.0.0.1:${(mute.address() as { port: number }).port}`;
    const secure = testClient(t, { insecureLoopback: false, limits: { connectTimeoutMs: 100, attempts: 1 } });
    const late = await rejectsReason(secure.ping(host), 'REGISTRY_TIMEOUT');
    assert.equal(late.details['limit'], 'connectTimeoutMs');
  });

  it('when the client closes, streams too; a closed client takes no calls', async (t) => {
    const lab = await bed(t);
    if (lab === undefined) return;
    const { proxy, client, repository, blob } = lab;
    proxy.add({ path: /manifests/, fault: { kind: 'hang' } });
    const stream = await client.blob(repository, blob.digest);
    const waiting = client.manifest({ ...repository, tag: 'x' });
    waiting.catch(() => {});
    await client.close();
    await rejectsReason(waiting, 'CLOSED');
    await rejectsReason(readAll(stream), 'CLOSED');
    await rejectsReason(client.ping(proxy.host), 'CLOSED');
    await client.close();
  });

  it('a blob of which nobody reads holds up nothing but itself, and its error ends no process', async (t) => {
    const lab = await bed(t);
    if (lab === undefined) return;
    const { client, repository, blob, proxy } = lab;
    const controller = new AbortController();
    const unread = await client.blob(repository, blob.digest, { signal: controller.signal });
    const closed = new Promise((resolve) => unread.once('close', resolve));
    controller.abort();
    await closed;
    assert.ok(unread.destroyed);
    assert.ok((await readAll(await client.blob(repository, blob.digest))).equals(blob.bytes));
    assert.ok(proxy.requests.length > 0);
  });
});

describe('mirrors', () => {
  it('give blobs and bytes of manifests, while the registry says what a tag is', async (t) => {
    const dir = registryDir(t);
    const origin = await startRegistry(t, { dir: join(dir, 'origin') });
    if (origin === undefined) return;
    const image = await seedImage(origin.url, 'a', 'one', [testBlob(500_000).bytes]);
    const behind = await startRegistry(t, { dir: join(dir, 'mirror'), mirrorOf: origin.url });
    const mirror = await startFaultProxy(t, { upstream: behind?.url ?? '' });
    const front = await startFaultProxy(t, { upstream: origin.url });
    const client = testClient(t, { mirrors: { [front.host]: [mirror.url] } });
    const repository = { registry: front.host, repository: 'a' };
    const layer = image.layers[0];
    assert.ok(layer !== undefined);
    const paths = (proxy: typeof front) =>
      proxy.requests.filter(({ path }) => path !== '/v2/').map(({ method }) => method);

    assert.equal((await client.manifest({ ...repository, tag: 'one' })).digest, image.digest);
    assert.ok((await readAll(await client.blob(repository, layer.digest))).equals(layer.bytes));
    assert.deepEqual([paths(front), paths(mirror)], [['HEAD'], ['GET', 'GET']]);

    // A mirror that has another image under the tag, or other bytes under the digest, is not believed.
    mirror.clear();
    front.clear();
    mirror.add({ path: /manifests/, fault: { kind: 'body', body: '{"schemaVersion":2}' } });
    assert.equal((await client.manifest({ ...repository, tag: 'one' })).digest, image.digest);
    assert.equal((await client.manifest({ ...repository, digest: image.digest })).digest, image.digest);
    assert.deepEqual(paths(front), ['HEAD', 'GET', 'GET']);

    // One that breaks off is left for the registry itself, which goes on where it ended.
    mirror.clear();
    front.clear();
    mirror.add({ path: /blobs/, fault: { kind: 'cut', afterBytes: 100_000 } });
    assert.ok((await readAll(await client.blob(repository, layer.digest))).equals(layer.bytes));
    assert.deepEqual(
      front.requests.map(({ headers }) => headers['range']),
      ['bytes=200000-'],
    );

    mirror.clear();
    front.clear();
    mirror.add({ path: /blobs/, fault: { kind: 'wrong-byte', at: 5 } });
    assert.ok(!(await readAll(await client.blob(repository, layer.digest))).equals(layer.bytes));
    assert.ok((await readAll(await client.blob(repository, layer.digest, { skipMirrors: true }))).equals(layer.bytes));

    const trusting = testClient(t, { mirrors: { [front.host]: [{ url: mirror.url, isTrusted: true }] } });
    front.clear();
    assert.equal((await trusting.manifest({ ...repository, tag: 'one' })).digest, image.digest);
    assert.equal((await trusting.headManifest({ ...repository, tag: 'one' }))?.digest, image.digest);
    assert.deepEqual(paths(front), []);
    await mirror.close();
    assert.equal((await trusting.manifest({ ...repository, tag: 'one' })).digest, image.digest);
    assert.ok((await readAll(await client.blob(repository, layer.digest))).equals(layer.bytes));
  });
});
