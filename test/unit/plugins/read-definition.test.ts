import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { readDefinition } from '#src/plugins/read-definition.js';
import { tempDir } from '#support/roots.js';
import { runOk } from '#support/run.js';
import { throwsReason } from '#support/throws-reason.js';

function write(t: TestContext, name: string, text: string): string {
  const path = join(tempDir(t, 'definition'), name);
  writeFileSync(path, text);
  return path;
}

const docker = { tlsVerification: 'docker' } as const;
const always = { tlsVerification: 'always' } as const;

describe('a .spec', () => {
  const read = (t: TestContext, text: string) => readDefinition(write(t, 'x.spec', text), docker);

  it('is one URL', (t) => {
    assert.deepEqual(read(t, ' \n unix:///run/a%20b.sock\n'), { kind: 'unix', path: '/run/a b.sock' });
    assert.deepEqual(read(t, 'tcp://localhost:8080'), { kind: 'tcp', host: 'localhost', port: 8080 });
    assert.deepEqual(read(t, 'http://h'), { kind: 'tcp', host: 'h', port: 80 });
    assert.deepEqual(read(t, 'http://[::1]:9/x/y'), { kind: 'tcp', host: '::1', port: 9 }, 'the path means nothing');
  });

  it('has https unverified as in Docker, unless the host says always', (t) => {
    const path = write(t, 'x.spec', 'https://h');
    const tls = { verify: false, exclusiveRoots: false };
    assert.deepEqual(readDefinition(path, docker), { kind: 'tcp', host: 'h', port: 443, tls });
    assert.deepEqual(readDefinition(path, always), {
      kind: 'tcp',
      host: 'h',
      port: 443,
      tls: { ...tls, verify: true },
    });
  });

  it('is refused with its path when it is something else', (t) => {
    for (const text of [
      '',
      'text',
      '/run/x.sock',
      'npipe:////./x',
      'ftp://h',
      'unix://rel/x',
      'unix://',
      'tcp://',
      'tcp://h:0',
      'tcp://h:99999',
    ]) {
      const path = write(t, 'x.spec', text);
      const error = throwsReason(() => readDefinition(path, docker), 'PLUGIN_BAD_DEFINITION');
      assert.equal(error.details['path'], path, text);
    }
  });

  it('shows no password of an address that is refused', (t) => {
    const path = write(t, 'x.spec', 'ftp://user:geheim@h');
    const error = throwsReason(() => readDefinition(path, docker), 'PLUGIN_BAD_DEFINITION');
    assert.ok(!JSON.stringify(error).includes('geheim'), error.message);
  });
});

describe('a .json', () => {
  const read = (t: TestContext, value: unknown, options: typeof docker | typeof always = docker) =>
    readDefinition(write(t, 'x.json', JSON.stringify(value)), options);
  const tlsOf = (found: ReturnType<typeof readDefinition>) => (found?.kind === 'tcp' ? found.tls : undefined);

  it('has an address, a name that means nothing and keys in any case', (t) => {
    assert.deepEqual(read(t, { Name: 'other', Addr: 'unix:///a.sock' }), { kind: 'unix', path: '/a.sock' });
    assert.deepEqual(read(t, { addr: 'tcp://h:1', TLSConfig: null }), { kind: 'tcp', host: 'h', port: 1 });
  });

  it('has TLS settings by the rules of Docker', (t) => {
    const Addr = 'https://h:1';
    const exclusiveRoots = false;
    assert.deepEqual(tlsOf(read(t, { Addr })), { verify: true, exclusiveRoots });
    assert.deepEqual(tlsOf(read(t, { Addr, TLSConfig: {} })), { verify: false, exclusiveRoots });
    assert.deepEqual(
      tlsOf(read(t, { Addr, TLSConfig: { InsecureSkipVerify: false, CAFile: '/ca', CertFile: '/c', KeyFile: '/k' } })),
      { verify: true, exclusiveRoots, caFile: '/ca', certFile: '/c', keyFile: '/k' },
    );
    assert.deepEqual(tlsOf(read(t, { Addr, TLSConfig: { InsecureSkipVerify: true, CAFile: '/ca' } })), {
      verify: false,
      exclusiveRoots,
      caFile: '/ca',
    });
    assert.deepEqual(tlsOf(read(t, { Addr, TLSConfig: { CAFile: '/ca', CertFile: '/c', ExclusiveRootPools: true } })), {
      verify: true,
      exclusiveRoots: true,
      caFile: '/ca',
    });
  });

  it('is verified, or refused, when the host says always', (t) => {
    const Addr = 'https://h:1';
    assert.equal(tlsOf(read(t, { Addr, TLSConfig: {} }, always))?.verify, true);
    const path = write(t, 'x.json', JSON.stringify({ Addr, TLSConfig: { InsecureSkipVerify: true } }));
    throwsReason(() => readDefinition(path, always), 'PLUGIN_BAD_DEFINITION');
  });

  it('is refused when it is not what it should be', (t) => {
    for (const text of [
      '',
      '{',
      '[]',
      'null',
      '{}',
      '{"Addr": 1}',
      '{"Addr": "tcp://h:1", "TLSConfig": []}',
      '{"Addr": "tcp://h:1", "TLSConfig": {"CAFile": 1}}',
      '{"__proto__": {"Addr": "tcp://h:1"}}',
      `{"Addr": "tcp://h:1", "x": "${'x'.repeat(70_000)}"}`,
    ]) {
      const path = write(t, 'x.json', text);
      throwsReason(() => readDefinition(path, docker), 'PLUGIN_BAD_DEFINITION');
    }
  });
});

describe('what is no regular file', () => {
  it('is no definition, and never waited for', async (t) => {
    const path = join(tempDir(t, 'definition'), 'x.spec');
    assert.equal(readDefinition(path, docker), undefined);
    await runOk('mkfifo', [path]);
    assert.equal(readDefinition(path, docker), undefined);
  });
});
