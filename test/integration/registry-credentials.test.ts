import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { inspect } from 'node:util';
import { CredentialStore } from '#src/registry/auth/credential-store.js';
import { Secrets } from '#src/registry/secrets.js';
import { rejectsReason } from '#support/registry/client-lab.js';
import { tempDir } from '#support/roots.js';

type Env = Record<string, string | undefined>;

const base64 = (text: string) => Buffer.from(text).toString('base64');
const auths = (entries: Record<string, string>) => ({
  auths: Object.fromEntries(Object.entries(entries).map(([key, login]) => [key, { auth: base64(login) }])),
});
const login = (username: string, password = 'pw') => ({ username, password });

function store(env: Env, options: object = {}): CredentialStore {
  return new CredentialStore({ env: { HOME: '/nonexistent', ...env }, secrets: new Secrets(), ...options });
}

/** A directory with credential helpers that are shell scripts; each notes how it was called. */
function helpers(t: TestContext, scripts: Record<string, string>) {
  const dir = tempDir(t, 'helpers');
  for (const [name, script] of Object.entries(scripts)) {
    const path = join(dir, `docker-credential-${name}`);
    const note = `tr '\\0' ' ' < /proc/$$/cmdline > ${dir}/${name}.argv\nread -r server || true\nprintf %s "$server" > ${dir}/${name}.stdin\n`;
    writeFileSync(path, `#!/bin/sh\n${note}${script}\n`);
    chmodSync(path, 0o755);
  }
  const note = (file: string) => readFileSync(join(dir, file), 'utf8');
  return { path: `${dir}:/usr/bin:/bin`, dir, note };
}

describe('credentials', () => {
  it('come from the option, then DOCKER_AUTH_CONFIG, REGISTRY_AUTH_FILE, and the files of docker login', async (t) => {
    const dir = tempDir(t, 'home');
    mkdirSync(join(dir, '.docker'));
    mkdirSync(join(dir, 'other'));
    const file = (name: string, content: object) => {
      writeFileSync(join(dir, name), JSON.stringify(content));
      return join(dir, name);
    };
    file('.docker/config.json', auths({ a: 'home:pw', b: 'home:pw', c: 'home:pw', d: 'home:p:w' }));
    file('other/config.json', auths({ d: 'other:pw' }));
    const authFile = file('auth.json', auths({ a: 'file:pw', b: 'file:pw', c: 'file:pw' }));
    const env = {
      HOME: dir,
      DOCKER_AUTH_CONFIG: JSON.stringify(auths({ a: 'inline:pw', b: 'inline:pw' })),
      REGISTRY_AUTH_FILE: authFile,
    };
    const all = store(env, { registries: { a: login('option') } });
    const names = await Promise.all(['a', 'b', 'c'].map((registry) => all.find(registry, 'x')));
    assert.deepEqual(names, [login('option'), login('inline'), login('file')]);
    assert.deepEqual(await all.find('d', 'x'), login('home', 'p:w'));
    assert.deepEqual(await store({ ...env, DOCKER_CONFIG: join(dir, 'other') }).find('d', 'x'), login('other'));
    assert.equal(await all.find('e', 'x'), undefined);
    assert.equal(await store(env, { readLogins: false }).find('a', 'x'), undefined);
    // A login that comes while the client is open counts.
    file('.docker/config.json', auths({ e: 'late:pw' }));
    assert.deepEqual(await all.find('e', 'x'), login('late'));
    const find = async (registry: string) => (registry === 'f' ? login('host') : undefined);
    assert.deepEqual(await store(env, { find }).find('f', undefined), login('host'));
    assert.deepEqual(await store(env, { find }).find('b', undefined), login('inline'));
  });

  it('are found by each way in which tools write a registry, and by no other host', async () => {
    const find = (key: string, registry: string, repository = 'a/b') =>
      store({ DOCKER_AUTH_CONFIG: JSON.stringify(auths({ [key]: 'u:p' })) }).find(registry, repository);
    for (const [key, registry] of [
      ['https://index.docker.io/v1/', 'docker.io'],
      ['docker.io', 'docker.io'],
      ['index.docker.io', 'docker.io'],
      ['r.example', 'r.example'],
      ['r.example/v2/', 'r.example'],
      ['https://r.example', 'r.example'],
      ['http://r.example:5000/v2', 'r.example:5000'],
      ['r.example/a', 'r.example'],
      ['r.example/a/b', 'r.example'],
    ] as const) {
      assert.deepEqual(await find(key, registry), login('u', 'p'), key);
    }
    for (const [key, registry] of [
      ['r.example', 'r.example:5000'],
      ['r.example:5000', 'r.example'],
      ['r.example', 'x.r.example'],
      ['r.example/a/b/c', 'r.example'],
      ['r.example/ab', 'r.example'],
      ['https://index.docker.io/v1/', 'index.docker.io.example'],
      ['docker.io', 'r.example'],
      ['__proto__', 'r.example'],
    ] as const) {
      assert.equal(await find(key, registry), undefined, key);
    }
    const nested = store({
      DOCKER_AUTH_CONFIG: JSON.stringify(auths({ r: 'host:p', 'r/a': 'team:p', 'r/a/b': 'repo:p' })),
    });
    assert.deepEqual(await nested.find('r', 'a/b'), login('repo', 'p'));
    assert.deepEqual(await nested.find('r', 'a/c'), login('team', 'p'));
    assert.deepEqual(await nested.find('r', 'ab'), login('host', 'p'));
  });

  it('may be tokens', async () => {
    const config = {
      auths: {
        a: { auth: base64('<token>:x'), identitytoken: 'identity' },
        b: { registrytoken: 'registry' },
        c: { username: 'u', password: 'p' },
        d: {},
        e: { auth: base64('u:zeros\0\0') },
      },
    };
    const found = store({ DOCKER_AUTH_CONFIG: JSON.stringify(config) });
    assert.deepEqual(await found.find('a', 'x'), { identityToken: 'identity' });
    assert.deepEqual(await found.find('b', 'x'), { registryToken: 'registry' });
    assert.deepEqual(await found.find('c', 'x'), login('u', 'p'));
    assert.equal(await found.find('d', 'x'), undefined);
    assert.deepEqual(await found.find('e', 'x'), login('u', 'zeros'));
  });

  it('in a broken file are an error that does not quote it', async (t) => {
    const secret = base64('ann:secret-of-ann');
    for (const text of [
      `{"auths":{"r":{"auth":"${secret}"}`,
      `{"auths":{"r":{"auth":"${base64('secret-of-ann')}"}}}`,
      '{"auths":[{"secret-of-ann":1}]}',
      '{"auths":{"r":{"identitytoken":"secret-of-ann\\n"}}}',
      '{"credHelpers":{"r":"../secret-of-ann"}}',
      '{"credsStore":"a b;secret-of-ann"}',
      '{"auths":{"r":{"auth":5,"x":"secret-of-ann"}}}',
      '[]',
      'secret-of-ann',
    ]) {
      const error = await rejectsReason(store({ DOCKER_AUTH_CONFIG: text }).find('r', 'x'), 'BAD_CREDENTIALS_FILE');
      assert.ok(!inspect(error, { depth: 9 }).includes('secret-of-ann'), text);
      assert.ok(!inspect(error, { depth: 9 }).includes(secret), text);
      assert.equal(error.details['source'], 'DOCKER_AUTH_CONFIG');
    }
    const dir = tempDir(t, 'home');
    await rejectsReason(store({ REGISTRY_AUTH_FILE: dir }).find('r', 'x'), 'BAD_CREDENTIALS_FILE');
    assert.equal(await store({ REGISTRY_AUTH_FILE: join(dir, 'none') }).find('r', 'x'), undefined);
  });
});

describe('credential helpers', () => {
  it('are asked by the protocol: get in the arguments, the registry on stdin, nothing else', async (t) => {
    const { path, note } = helpers(t, {
      ok: `echo '{"ServerURL":"x","Username":"ann","Secret":"s3cret of ann"}'`,
      token: `echo '{"Username":"<token>","Secret":"identity"}'`,
      none: `echo 'credentials not found in native keychain'; exit 1`,
    });
    const config = { ...auths({ c: 'file:pw' }), credsStore: 'ok', credHelpers: { b: 'token', c: 'none' } };
    const env = { PATH: path, DOCKER_AUTH_CONFIG: JSON.stringify(config) };
    assert.deepEqual(await store(env).find('a:5000', 'x'), login('ann', 's3cret of ann'));
    assert.match(note('ok.argv'), /docker-credential-ok get $/);
    assert.equal(note('ok.stdin'), 'a:5000');
    await store(env).find('docker.io', 'x');
    assert.equal(note('ok.stdin'), 'https://index.docker.io/v1/');
    assert.deepEqual(await store(env).find('b', 'x'), { identityToken: 'identity' });
    assert.deepEqual(await store(env).find('c', 'x'), login('file'));
  });

  it('that fail are an error without what they said of secrets', async (t) => {
    const { path, dir } = helpers(t, {
      missing: `rm "$0"`,
      fails: `echo 'the keychain is locked'; exit 3`,
      leaks: `echo '{"Username":"ann","Secret":"s3cret"}'; exit 1`,
      garbage: 'echo s3cret',
      list: `echo '["s3cret"]'`,
      partial: `echo '{"Username":"ann","secret":"s3cret"}'`,
      huge: 'head -c 200000 /dev/zero',
      slow: 'sleep 30',
      deaf: `exec 0<&-; echo '{"Username":"ann","Secret":"x"}'`,
    });
    const ask = (credsStore: string, call: { signal?: AbortSignal } = {}) =>
      store({ PATH: path, DOCKER_AUTH_CONFIG: JSON.stringify({ credsStore }) }, { helperTimeoutMs: 300 }).find(
        'r',
        'x',
        call,
      );
    for (const name of ['fails', 'leaks', 'garbage', 'list', 'partial', 'huge', 'slow', 'nosuch']) {
      const error = await rejectsReason(ask(name), 'CREDENTIAL_HELPER_FAILED');
      assert.ok(!inspect(error, { depth: 9 }).includes('s3cret'), name);
      if (name === 'fails') assert.match(error.message, /status 3 and says .*the keychain is locked/);
    }
    assert.deepEqual(await ask('deaf'), login('ann', 'x'));
    const controller = new AbortController();
    const waiting = ask('slow', { signal: controller.signal });
    setTimeout(() => controller.abort(), 50);
    await rejectsReason(waiting, 'CANCELED');
    assert.ok(existsSync(dir));
    // Neither the helper nor what it started is left.
    const { readdirSync } = await import('node:fs');
    await new Promise((resolve) => setTimeout(resolve, 50));
    const left = readdirSync('/proc')
      .filter((pid) => /^\d+$/.test(pid))
      .filter((pid) => {
        try {
          return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(dir);
        } catch {
          return false;
        }
      });
    assert.deepEqual(left, []);
  });
});
