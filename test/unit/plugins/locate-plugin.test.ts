import assert from 'node:assert/strict';
import { chmodSync, chownSync, linkSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { locatePlugin, type PluginDirectories, scanPluginNames } from '#src/plugins/locate-plugin.js';
import { requireRoot } from '#support/require.js';
import { tempDir } from '#support/roots.js';
import { throwsReason } from '#support/throws-reason.js';

interface Lab {
  readonly dir: string;
  readonly where: PluginDirectories;
  readonly path: (name: string) => string;
  readonly file: (name: string, text: string) => string;
  readonly socket: (name: string) => Promise<Server>;
}

function lab(t: TestContext): Lab {
  const dir = tempDir(t, 'locate');
  const path = (name: string) => {
    mkdirSync(dirname(join(dir, name)), { recursive: true });
    return join(dir, name);
  };
  const where = {
    socketDirs: [join(dir, 'run'), join(dir, 'run2')],
    specDirs: [join(dir, 'etc'), join(dir, 'usr')],
    trustedUids: [],
    tlsVerification: 'docker',
  } as const;
  return {
    dir,
    where,
    path,
    file: (name, text) => {
      writeFileSync(path(name), text);
      return path(name);
    },
    socket: (name) =>
      new Promise((resolve) => {
        const server = createServer();
        t.after(() => server.close());
        server.listen(path(name), () => resolve(server));
      }),
  };
}

describe('locatePlugin', () => {
  it('searches in the order of Docker', async (t) => {
    const { file, socket, path, where } = lab(t);
    // From last to first: each new one hides those before.
    for (const name of [
      'usr/x/x.json',
      'usr/x.json',
      'usr/x/x.spec',
      'usr/x.spec',
      'etc/x/x.json',
      'etc/x.json',
      'etc/x/x.spec',
      'etc/x.spec',
    ]) {
      file(name, name.endsWith('.json') ? '{"Addr": "tcp://h:1"}' : 'tcp://h:1');
      assert.equal(locatePlugin(where, 'x')?.path, path(name));
    }
    for (const name of ['run2/x/x.sock', 'run2/x.sock', 'run/x/x.sock', 'run/x.sock']) {
      await socket(name);
      const found = locatePlugin(where, 'x');
      assert.equal(found?.path, path(name));
      assert.deepEqual(found?.address, { kind: 'unix', path: path(name) });
    }
  });

  it('does not take for a socket what is none, nor a directory or FIFO for a definition', (t) => {
    const { file, path, where } = lab(t);
    file('run/x.sock', 'text');
    mkdirSync(path('etc/x.spec'), { recursive: true });
    assert.equal(locatePlugin(where, 'x'), undefined);
    assert.equal(locatePlugin(where, 'unknown'), undefined);
    file('usr/x.spec', 'tcp://h:1');
    assert.equal(locatePlugin(where, 'x')?.path, path('usr/x.spec'));
  });

  it('stops at the first definition, also when it is wrong', (t) => {
    const { file, path, where } = lab(t);
    file('etc/x.spec', 'no url');
    file('usr/x.spec', 'tcp://h:1');
    const error = throwsReason(() => locatePlugin(where, 'x'), 'PLUGIN_BAD_DEFINITION');
    assert.equal(error.details['path'], path('etc/x.spec'));
  });

  it('gives another stamp for a socket that was made anew, or a definition that was written anew', async (t) => {
    const { file, socket, where, path } = lab(t);
    const server = await socket('run/x.sock');
    const before = locatePlugin(where, 'x')?.stamp;
    assert.equal(locatePlugin(where, 'x')?.stamp, before);
    await new Promise((resolve) => server.close(resolve));
    rmSync(path('run/x.sock'), { force: true });
    await socket('run/x.sock');
    assert.notEqual(locatePlugin(where, 'x')?.stamp, before);

    file('etc/y.spec', 'tcp://h:1');
    const written = locatePlugin(where, 'y')?.stamp;
    file('etc/y.spec', 'tcp://h:2');
    assert.notEqual(locatePlugin(where, 'y')?.stamp, written);

    file('etc/z.spec', `unix://${path('run/x.sock')}`);
    const missing = locatePlugin(where, 'z')?.stamp;
    rmSync(path('run/x.sock'));
    assert.notEqual(locatePlugin(where, 'z')?.stamp, missing, 'the socket behind a definition counts');
  });
});

describe('trust', () => {
  it('refuses a socket in a directory that others may write', async (t) => {
    const { socket, where, path } = lab(t);
    await socket('run/x.sock');
    for (const mode of [0o777, 0o757]) {
      chmodSync(path('run'), mode);
      const error = throwsReason(() => locatePlugin(where, 'x'), 'PLUGIN_UNTRUSTED');
      assert.equal(error.details['path'], path('run'));
      assert.match(error.message, /others may write/);
    }
    // Sticky: what is ours can't be exchanged.
    chmodSync(path('run'), 0o1777);
    assert.ok(locatePlugin(where, 'x'));
    // A directory further up is as good.
    chmodSync(path('run'), 0o755);
    chmodSync(dirname(path('run')), 0o777);
    throwsReason(() => locatePlugin(where, 'x'), 'PLUGIN_UNTRUSTED');
  });

  it('refuses a socket or a definition of another user, unless that one is trusted', async (t) => {
    if (!requireRoot(t)) return;
    const { socket, where, path, file } = lab(t);
    await socket('run/x.sock');
    chownSync(path('run/x.sock'), 4711, 4711);
    const error = throwsReason(() => locatePlugin(where, 'x'), 'PLUGIN_UNTRUSTED');
    assert.match(error.message, /uid 4711/);
    assert.ok(locatePlugin({ ...where, trustedUids: [4711] }, 'x'));

    file('etc/y.spec', 'tcp://h:1');
    chownSync(path('etc/y.spec'), 4711, 0);
    throwsReason(() => locatePlugin(where, 'y'), 'PLUGIN_UNTRUSTED');
    chownSync(path('etc/y.spec'), 0, 0);
    chmodSync(path('etc/y.spec'), 0o666);
    throwsReason(() => locatePlugin(where, 'y'), 'PLUGIN_UNTRUSTED');
  });

  it('refuses a directory that a foreign group may write', async (t) => {
    if (!requireRoot(t)) return;
    const { socket, where, path } = lab(t);
    await socket('run/x.sock');
    chmodSync(path('run'), 0o775);
    assert.ok(locatePlugin(where, 'x'), 'group root');
    chownSync(path('run'), 0, 4711);
    throwsReason(() => locatePlugin(where, 'x'), 'PLUGIN_UNTRUSTED');
  });

  it('looks behind links: at where they lead and at what is on the way', async (t) => {
    const { dir, socket, where, path } = lab(t);
    await socket('real/plugin.sock');
    mkdirSync(join(dir, 'run'));
    symlinkSync('../open/link', join(dir, 'run/x.sock'));
    mkdirSync(path('open/.').slice(0, -2), { recursive: true });
    symlinkSync('../real/plugin.sock', path('open/link'));
    assert.ok(locatePlugin(where, 'x'));
    chmodSync(join(dir, 'open'), 0o777);
    const error = throwsReason(() => locatePlugin(where, 'x'), 'PLUGIN_UNTRUSTED');
    assert.equal(error.details['path'], join(dir, 'open'));
    chmodSync(join(dir, 'open'), 0o755);
    chmodSync(join(dir, 'real'), 0o777);
    throwsReason(() => locatePlugin(where, 'x'), 'PLUGIN_UNTRUSTED');
  });

  it('checks the socket that a definition names', async (t) => {
    const { socket, file, where, path } = lab(t);
    await socket('elsewhere/a.sock');
    file('etc/x.spec', `unix://${path('elsewhere/a.sock')}`);
    assert.ok(locatePlugin(where, 'x'));
    chmodSync(path('elsewhere'), 0o777);
    throwsReason(() => locatePlugin(where, 'x'), 'PLUGIN_UNTRUSTED');
  });
});

describe('scanPluginNames', () => {
  it('gives the names of flat and nested forms once, sorted, and no others', async (t) => {
    const { file, socket, path, where, dir } = lab(t);
    await socket('run/b.sock');
    await socket('run/nested/nested.sock');
    linkSync(path('run/b.sock'), path('run/also.sock'));
    file('etc/a.spec', 'tcp://h:1');
    file('usr/a.json', '{}');
    file('usr/deep/deep.json', '{}');
    file('usr/readme.txt', '');
    file('etc/bad name.spec', '');
    mkdirSync(path('run/empty'));
    const { names, problems } = scanPluginNames(where);
    // A directory counts until it is looked into.
    assert.deepEqual(names, ['a', 'also', 'b', 'deep', 'empty', 'nested']);
    assert.deepEqual(problems, []);
    assert.equal(locatePlugin(where, 'empty'), undefined);
    rmSync(join(dir, 'run'), { recursive: true });
    rmSync(join(dir, 'etc'), { recursive: true });
    assert.deepEqual(scanPluginNames(where).names, ['a', 'deep'], 'missing directories are empty ones');
  });
});
