import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { makeTestCertificates } from '#support/plugins/test-certificates.js';
import { readAll, rejectsReason, testBlob, testClient } from '#support/registry/client-lab.js';
import { registryDir, startRegistry } from '#support/registry/registry-process.js';
import { seedImage, seedManifest } from '#support/registry/seed-image.js';
import { startTokenServer } from '#support/registry/token-server.js';
import { requireBinary } from '#support/require.js';
import { tempDir } from '#support/roots.js';
import { runOk } from '#support/run.js';

const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';

describe('a registry client', () => {
  it('reads what others put: manifest, blob from any byte on, tags, sizes', async (t) => {
    const registry = await startRegistry(t, { dir: registryDir(t) });
    if (registry === undefined) return;
    const layer = testBlob(700_000);
    const image = await seedImage(registry.url, 'some/image', 'one', [layer.bytes]);
    for (let n = 0; n < 7; n++)
      await seedManifest(registry.url, 'some/image', `t${n}`, { mediaType: image.mediaType, bytes: image.manifest });
    const client = testClient(t);
    const repository = { registry: registry.host, repository: 'some/image' };

    assert.deepEqual(await client.ping(registry.host), { url: registry.url });
    const manifest = await client.manifest({ ...repository, tag: 'one' });
    assert.deepEqual(manifest, { digest: image.digest, mediaType: image.mediaType, bytes: image.manifest });
    assert.deepEqual(await client.manifest({ ...repository, digest: image.digest }), manifest);
    assert.equal(await client.manifest({ ...repository, tag: 'one' }, { ifDigestIsNot: image.digest }), undefined);
    const other = `sha256:${'0'.repeat(64)}`;
    assert.deepEqual(await client.manifest({ ...repository, tag: 'one' }, { ifDigestIsNot: other }), manifest);
    assert.deepEqual(await client.headManifest({ ...repository, tag: 'one' }), {
      digest: image.digest,
      mediaType: image.mediaType,
      size: image.manifest.length,
    });
    assert.equal(await client.headManifest({ ...repository, tag: 'none' }), undefined);
    assert.deepEqual(await client.headBlob(repository, layer.digest), { digest: layer.digest, size: layer.size });
    assert.equal(await client.headBlob(repository, other), undefined);
    for (const options of [
      {},
      { size: layer.size },
      { offset: 123_456 },
      { offset: layer.size - 1, size: layer.size },
    ]) {
      const stream = await client.blob(repository, layer.digest, options);
      assert.ok((await readAll(stream)).equals(layer.bytes.subarray(options.offset ?? 0)));
    }
    assert.equal(
      (await readAll(await client.blob(repository, layer.digest, { offset: layer.size, size: layer.size }))).length,
      0,
    );
    const tags: string[] = [];
    for await (const tag of client.tags(repository, { pageSize: 3 })) tags.push(tag);
    // This registry neither sorts them nor makes pages.
    assert.deepEqual(tags.sort(), ['one', 't0', 't1', 't2', 't3', 't4', 't5', 't6']);

    const missing = await rejectsReason(client.manifest({ ...repository, tag: 'none' }), 'REGISTRY_NOT_FOUND');
    assert.equal(missing.details['kind'], 'manifest');
    await rejectsReason(client.blob(repository, other), 'REGISTRY_NOT_FOUND');
    await rejectsReason(client.blob(repository, layer.digest, { size: layer.size + 1 }), 'SIZE_MISMATCH');
    await rejectsReason(
      readAll(client.tags({ ...repository, repository: 'no/such' }) as AsyncIterable<never>),
      'REGISTRY_NOT_FOUND',
    );
  });

  it('puts what others read: one stream, pieces, small ones, links, manifests', async (t) => {
    const registry = await startRegistry(t, { dir: registryDir(t) });
    if (registry === undefined) return;
    const skopeo = requireBinary(t, 'skopeo');
    if (skopeo === undefined) return;
    const client = testClient(t);
    const repository = { registry: registry.host, repository: 'a/b' };
    const stream = testBlob(1_500_000);
    const pieces = testBlob(1_000_001);
    const empty = testBlob('');
    const sent: number[] = [];
    assert.equal(await client.uploadBlob(repository, stream, { onProgress: (bytes) => sent.push(bytes) }), 'uploaded');
    assert.equal(sent.at(-1), stream.size);
    assert.ok(sent.length > 10);
    assert.equal(await client.uploadBlob(repository, pieces, { chunkBytes: 300_000 }), 'uploaded');
    assert.deepEqual(pieces.opened, [0, 300_000, 600_000, 900_000]);
    assert.equal(await client.uploadBlob(repository, empty), 'uploaded');
    for (const blob of [stream, pieces, empty]) {
      assert.ok((await readAll(await client.blob(repository, blob.digest))).equals(blob.bytes));
    }
    const config = testBlob(
      JSON.stringify({
        os: 'linux',
        architecture: 'amd64',
        rootfs: { type: 'layers', diff_ids: [stream.digest, pieces.digest] },
      }),
    );
    assert.equal(await client.uploadBlob(repository, config), 'uploaded');
    const type = 'application/vnd.oci.image.layer.v1.tar';
    const manifest = testBlob(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: OCI_MANIFEST,
        config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: config.digest, size: config.size },
        layers: [stream, pieces].map(({ digest, size }) => ({ mediaType: type, digest, size })),
      }),
    );
    const put = await client.putManifest(
      { ...repository, tag: 'one' },
      { mediaType: OCI_MANIFEST, bytes: manifest.bytes },
    );
    assert.equal(put.digest, manifest.digest);
    const raw = await runOk(skopeo, ['inspect', '--raw', '--tls-verify=false', `docker://${registry.host}/a/b:one`]);
    assert.equal(raw, manifest.bytes.toString());
    const copy = join(tempDir(t, 'copy'), 'oci');
    await runOk(skopeo, ['copy', '--src-tls-verify=false', `docker://${registry.host}/a/b:one`, `oci:${copy}:one`]);

    const elsewhere = { ...repository, repository: 'c' };
    assert.equal(await client.mountBlob(elsewhere, stream.digest, 'a/b'), true);
    assert.equal(await client.mountBlob(elsewhere, pieces.digest, 'no/such'), false);
    assert.equal(await client.uploadBlob(elsewhere, pieces, { mountFrom: 'a/b' }), 'mounted');
    assert.equal(await client.uploadBlob(elsewhere, config, { mountFrom: 'no/such' }), 'uploaded');
    assert.ok((await readAll(await client.blob(elsewhere, pieces.digest))).equals(pieces.bytes));

    await rejectsReason(
      client.putManifest({ ...repository, digest: stream.digest }, { mediaType: OCI_MANIFEST, bytes: manifest.bytes }),
      'DIGEST_MISMATCH',
    );
    const wrong = { ...testBlob(200_000), digest: config.digest };
    await rejectsReason(
      client.uploadBlob(elsewhere, { ...wrong, digest: `sha256:${'1'.repeat(64)}` }),
      'DIGEST_MISMATCH',
    );
    for (const size of [wrong.size - 1, wrong.size + 1, 10]) {
      await rejectsReason(client.uploadBlob({ ...repository, repository: 'd' }, { ...wrong, size }), 'SIZE_MISMATCH');
    }
    await client.deleteManifest({ ...repository, digest: manifest.digest });
    assert.equal(await client.headManifest({ ...repository, tag: 'one' }), undefined);
    await rejectsReason(client.deleteManifest({ ...repository, digest: manifest.digest }), 'REGISTRY_NOT_FOUND');
  });

  it('finds referrers by the tag where the registry lacks the API', async (t) => {
    const registry = await startRegistry(t, { dir: registryDir(t) });
    if (registry === undefined) return;
    const client = testClient(t);
    const repository = { registry: registry.host, repository: 'a' };
    const image = await seedImage(registry.url, 'a', 'one');
    const signature = await seedImage(registry.url, 'a', 'sig', [Buffer.from('signature')]);
    assert.deepEqual(await client.referrers(repository, image.digest), []);
    const index = {
      schemaVersion: 2,
      mediaType: OCI_INDEX,
      manifests: [
        {
          mediaType: OCI_MANIFEST,
          digest: signature.digest,
          size: signature.manifest.length,
          artifactType: 'application/x-sig',
          annotations: { ['__proto__']: 'x', 'org.opencontainers.image.title': '../../x' },
        },
      ],
    };
    const bytes = Buffer.from(JSON.stringify(index));
    await seedManifest(registry.url, 'a', image.digest.replace(':', '-'), { mediaType: OCI_INDEX, bytes });
    const [found, ...more] = await client.referrers(repository, image.digest, { artifactType: 'application/x-sig' });
    assert.deepEqual([found?.digest, found?.size, more.length], [signature.digest, signature.manifest.length, 0]);
    assert.equal(found?.annotations.get('org.opencontainers.image.title'), '../../x');
    assert.deepEqual(await client.referrers(repository, image.digest, { artifactType: 'other' }), []);
  });

  it('logs in with a password, and only when asked for it', async (t) => {
    const registry = await startRegistry(t, { dir: registryDir(t), users: { ann: 'her secret' } });
    if (registry === undefined) return;
    const repository = { registry: registry.host, repository: 'a' };
    const blob = testBlob(100_000);
    const anonymous = testClient(t);
    await rejectsReason(anonymous.uploadBlob(repository, blob), 'REGISTRY_UNAUTHENTICATED');
    const wrong = testClient(t, {
      credentials: { registries: { [registry.host]: { username: 'ann', password: 'no such' } } },
    });
    await rejectsReason(wrong.uploadBlob(repository, blob), 'REGISTRY_UNAUTHENTICATED');
    const auth = { username: 'ann', password: 'her secret' };
    assert.equal(await anonymous.uploadBlob(repository, blob, { auth }), 'uploaded');
    await rejectsReason(anonymous.headBlob(repository, blob.digest), 'REGISTRY_UNAUTHENTICATED');
    const right = testClient(t, { credentials: { registries: { [registry.host]: auth } } });
    assert.equal((await right.headBlob(repository, blob.digest))?.size, blob.size);
    await right.ping(registry.host);
  });

  it('buys tokens: anonymous, with a password, with an identity token; a new one before the old one ends', async (t) => {
    const dir = registryDir(t);
    const tokens = await startTokenServer(t, {
      dir,
      users: { ann: 'pw of ann' },
      refreshTokens: { idtoken: 'ann' },
      allows: (user, repository, action) => user === 'ann' || (repository === 'public' && action === 'pull'),
    });
    if (tokens === undefined) return;
    const registry = await startRegistry(t, { dir, token: tokens });
    if (registry === undefined) return;
    const tokenServers = [tokens.host];
    const auth = { username: 'ann', password: 'pw of ann' };
    const open = { registry: registry.host, repository: 'public' };
    const closed = { registry: registry.host, repository: 'team/private' };
    const blob = testBlob(200_000);

    const ann = testClient(t, { tokenServers, credentials: { registries: { [registry.host]: auth } } });
    assert.equal(await ann.uploadBlob(open, blob), 'uploaded');
    assert.equal(await ann.uploadBlob(closed, blob, { mountFrom: 'public' }), 'mounted');
    assert.deepEqual(tokens.requests.at(-1)?.scopes, ['repository:team/private:pull,push', 'repository:public:pull']);
    assert.equal(tokens.requests.at(-1)?.fields['account'], 'ann');
    const asked = tokens.requests.length;
    for (let n = 0; n < 3; n++) await ann.headBlob(open, blob.digest);
    assert.equal(tokens.requests.length, asked + 1, 'one token serves all pulls of a repository');

    const anonymous = testClient(t);
    assert.ok((await readAll(await anonymous.blob(open, blob.digest))).equals(blob.bytes));
    assert.equal(tokens.requests.at(-1)?.authorization, undefined);
    await rejectsReason(anonymous.headBlob(closed, blob.digest), 'REGISTRY_UNAUTHENTICATED');
    await rejectsReason(anonymous.uploadBlob(open, blob), 'REGISTRY_UNAUTHENTICATED');

    const identity = testClient(t, {
      tokenServers,
      credentials: { registries: { [registry.host]: { identityToken: 'idtoken' } } },
    });
    assert.equal((await identity.headBlob(closed, blob.digest))?.size, blob.size);
    const posted = tokens.requests.at(-1);
    assert.equal(posted?.method, 'POST');
    assert.deepEqual(
      [posted?.fields['grant_type'], posted?.fields['client_id'], posted?.fields['scope']],
      ['refresh_token', 'caisson', 'repository:team/private:pull'],
    );
    const refused = testClient(t, { tokenServers });
    const error = await rejectsReason(
      refused.headBlob(closed, blob.digest, { auth: { username: 'ann', password: 'not hers' } }),
      'REGISTRY_UNAUTHENTICATED',
    );
    assert.equal(error.details['realm'], tokens.host);

    tokens.expiresInSeconds = 1;
    const short = testClient(t, { tokenServers, credentials: { registries: { [registry.host]: auth } } });
    await short.headBlob(closed, blob.digest);
    const before = tokens.requests.length;
    await new Promise((resolve) => setTimeout(resolve, 900));
    assert.equal((await short.headBlob(closed, blob.digest))?.size, blob.size);
    assert.equal(tokens.requests.length, before + 1, 'renewed before it ended, with no refusal in between');

    tokens.expiresInSeconds = 300;
    const many = testClient(t, { tokenServers, credentials: { registries: { [registry.host]: auth } } });
    await many.ping(registry.host);
    const single = tokens.requests.length;
    await Promise.all(Array.from({ length: 8 }, () => many.headBlob(closed, blob.digest)));
    assert.equal(tokens.requests.length, single + 1, 'eight callers wait for one token');
  });

  it('speaks TLS with what certs.d or the options have, and refuses the rest', async (t) => {
    const dir = registryDir(t);
    const certificates = await makeTestCertificates(t, join(dir, 'certificates'));
    if (certificates === undefined) return;
    const { ca, client: identity, server, other, read } = certificates;
    const start = (name: string, tls: typeof server & { clientCa?: string }) => {
      mkdirSync(join(dir, name));
      return startRegistry(t, { dir: join(dir, name), tls });
    };
    const open = await start('open', server);
    if (open === undefined) return;
    const strict = await start('strict', { ...server, clientCa: ca });
    const misnamed = await start('misnamed', other);
    assert.ok(strict !== undefined && misnamed !== undefined);
    const certsDir = join(dir, 'certs.d');
    for (const { host } of [open, strict, misnamed]) {
      mkdirSync(join(certsDir, host), { recursive: true });
      writeFileSync(join(certsDir, host, 'ca.crt'), read(ca));
    }
    for (const [suffix, path] of [
      ['cert', identity.cert],
      ['key', identity.key],
    ] as const) {
      writeFileSync(join(certsDir, strict.host, `client.${suffix}`), read(path));
    }
    const known = testClient(t, { certsDirs: [certsDir] });
    assert.equal((await known.ping(open.host)).url, open.url);
    assert.equal((await known.ping(strict.host)).url, strict.url);
    await rejectsReason(known.ping(misnamed.host), 'REGISTRY_TLS_FAILED');
    const byOption = testClient(t, {
      tls: { [strict.host]: { ca: read(ca), cert: read(identity.cert), key: read(identity.key) } },
    });
    assert.equal((await byOption.ping(strict.host)).url, strict.url);
    const withoutIdentity = testClient(t, { tls: { [strict.host]: { ca: read(ca) } } });
    await assert.rejects(withoutIdentity.ping(strict.host));
    const insecure = testClient(t, { insecureRegistries: [misnamed.host, '127.0.0.0/32'] });
    assert.equal((await insecure.ping(misnamed.host)).url, misnamed.url);
    writeFileSync(join(certsDir, open.host, 'half.cert'), read(identity.cert));
    const half = testClient(t, { certsDirs: [certsDir] });
    const error = await rejectsReason(half.ping(open.host), 'BAD_REGISTRY_CERTIFICATES');
    assert.equal(error.details['path'], join(certsDir, open.host, 'half.key'));
  });
});
