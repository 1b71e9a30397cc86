import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { EngineError } from '#src/errors/index.js';
import { LegacyPlugins, type LegacyPluginsOptions } from '#src/plugins/index.js';
import { makeTestCertificates } from '#support/plugins/test-certificates.js';
import { startVolumePlugin } from '#support/plugins/volume-plugin.js';
import { tempDir } from '#support/roots.js';

it('plugins behind TLS are verified as their definition says', async (t) => {
  const dir = tempDir(t, 'tls');
  const certificates = await makeTestCertificates(t, join(dir, 'certificates'));
  if (certificates === undefined) return;
  const { ca, client, other, server, read } = certificates;
  const tls = { cert: read(server.cert), key: read(server.key) };
  const open = await startVolumePlugin(t, { dir, name: 'open', listen: { port: 0, tls } });
  const strict = await startVolumePlugin(t, {
    dir,
    name: 'strict',
    listen: { port: 0, tls: { ...tls, clientCa: read(ca) } },
  });
  const misnamed = await startVolumePlugin(t, {
    dir,
    name: 'misnamed',
    listen: { port: 0, tls: { cert: read(other.cert), key: read(other.key) } },
  });
  const specs = join(dir, 'specs');
  mkdirSync(specs);
  const define = (name: string, port: number, TLSConfig?: object, host = '127.0.0.1') =>
    writeFileSync(join(specs, `${name}.json`), JSON.stringify({ Addr: `https://${host}:${port}`, TLSConfig }));

  const outcome = async (name: string, options: LegacyPluginsOptions = {}) => {
    await using plugins = await LegacyPlugins.open({ socketDirs: [], specDirs: [specs], retryMs: 0, ...options });
    try {
      const endpoint = await plugins.find(name, 'VolumeDriver');
      await endpoint?.call('VolumeDriver.List', {});
      return 'works';
    } catch (error) {
      assert.ok(EngineError.is(error), String(error));
      return error.reason;
    }
  };

  await t.test('by the authorities of Node when there is no TLSConfig', async () => {
    define('plain', open.port);
    assert.equal(await outcome('plain'), 'PLUGIN_TLS_FAILED');
  });
  await t.test('not at all without CAFile, as in Docker, unless the host says always', async () => {
    define('unverified', open.port, { InsecureSkipVerify: false });
    assert.equal(await outcome('unverified'), 'works');
    assert.equal(await outcome('unverified', { tlsVerification: 'always' }), 'PLUGIN_TLS_FAILED');
    writeFileSync(join(specs, 'spec.spec'), `https://127.0.0.1:${open.port}`);
    assert.equal(await outcome('spec'), 'works');
    assert.equal(await outcome('spec', { tlsVerification: 'always' }), 'PLUGIN_TLS_FAILED');
  });
  await t.test('against the CAFile, by address and by name', async () => {
    define('verified', open.port, { CAFile: ca });
    assert.equal(await outcome('verified', { tlsVerification: 'always' }), 'works');
    define('byname', open.port, { CAFile: ca, ExclusiveRootPools: true }, 'localhost');
    assert.equal(await outcome('byname'), 'works');
    define('othername', misnamed.port, { CAFile: ca });
    assert.equal(await outcome('othername'), 'PLUGIN_TLS_FAILED', 'the certificate is for another name');
    define('otherca', open.port, { CAFile: client.cert });
    assert.equal(await outcome('otherca'), 'PLUGIN_TLS_FAILED');
    define('skipped', open.port, { CAFile: client.cert, InsecureSkipVerify: true });
    assert.equal(await outcome('skipped'), 'works');
  });
  await t.test('with a client certificate where both files are named', async () => {
    define('client', strict.port, { CAFile: ca, CertFile: client.cert, KeyFile: client.key });
    assert.equal(await outcome('client'), 'works');
    define('noclient', strict.port, { CAFile: ca, CertFile: client.cert });
    assert.notEqual(await outcome('noclient'), 'works');
  });
  await t.test('and a file that is missing or no certificate is named', async () => {
    define('missing', open.port, { CAFile: join(dir, 'missing.pem') });
    assert.equal(await outcome('missing'), 'PLUGIN_BAD_DEFINITION');
    writeFileSync(join(dir, 'text.pem'), 'text');
    define('text', open.port, { CAFile: ca, CertFile: join(dir, 'text.pem'), KeyFile: client.key });
    assert.equal(await outcome('text'), 'PLUGIN_TLS_FAILED');
  });
});
