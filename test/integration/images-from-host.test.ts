import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { EngineError } from '#src/errors/index.js';
import { readElf } from '#src/images/from-host/elf.js';
import { hasTool, ImageLab, run } from './images-lab.js';

const skip = hasTool('busybox') && hasTool('bash') && process.getuid?.() === 0 ? false : 'needs root, busybox and bash';

describe('images from host executables', { skip }, () => {
  let lab: ImageLab;
  before(() => {
    lab = new ImageLab();
  });
  after(() => lab[Symbol.asyncDispose]());

  /** Runs a command with the image as its root directory, with the /proc that loaders ask where a program is. */
  const inImage = (reference: string, ...command: string[]) =>
    lab.withRoot(reference, (root) => {
      const script = 'mount -t proc proc "$1/proc" && exec chroot "$@"';
      return execFileSync('unshare', ['-m', 'sh', '-c', script, 'sh', root, ...command], {
        encoding: 'utf8',
        env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
    });

  it('runs what it copied: dynamic, static, script, link', async () => {
    const script = lab.path('say.sh');
    writeFileSync(script, '#!/usr/bin/env bash\necho "script $1"\n');
    chmodSync(script, 0o755);
    await lab.store.fromHost({
      executables: [process.execPath, 'busybox', '/bin/bash', script],
      links: { '/bin/echo': '/bin/busybox', '/opt/tools/cat': '/bin/busybox' },
      files: [
        { content: 'hello\n', target: '/data/hello' },
        { source: script, target: '/opt/copy.sh', mode: 0o700 },
      ],
      reference: 'host',
      env: { A: '1' },
      cmd: ['node'],
    });
    assert.equal(await inImage('host', '/bin/bash', '-c', 'echo $((6*7))'), '42\n');
    assert.equal(await inImage('host', process.execPath, '-p', '6*7'), '42\n');
    assert.equal(await inImage('host', script, 'x'), 'script x\n');
    assert.equal(await inImage('host', '/bin/echo', 'applet'), 'applet\n');
    assert.equal(await inImage('host', '/opt/tools/cat', '/data/hello'), 'hello\n');
    assert.equal(await inImage('host', '/opt/copy.sh', 'y'), 'script y\n');
    const tree = await lab.tree('host');
    assert.match(tree['tmp'] as string, /mode=1777/);
    assert.match(tree['root'] as string, /mode=700/);
    assert.match(tree['etc/passwd'] as string, /file/);
    if (realpathSync('/bin') !== '/bin') assert.match(tree['bin'] as string, /^symlink/);
    for (const [path, entry] of Object.entries(tree))
      assert.match(entry, path === '.' ? /owner=0:0/ : /owner=0:0 mtime=0( |$)/, path);
    const { config } = await lab.store.resolve('host');
    assert.deepEqual(config.env.slice(1), ['A=1']);
    assert.match(config.env[0] as string, /^PATH=/);
    assert.deepEqual(config.cmd, ['node']);
  });

  it('gives the same digests for the same files', async () => {
    const make = (reference: string) =>
      lab.store.fromHost({
        executables: ['busybox', 'bash'],
        links: { '/bin/a': 'b', '/bin/b': 'a' },
        labels: { b: '1', a: '2' },
        reference,
      });
    const first = await make('one');
    const { config } = await lab.store.resolve('one');
    assert.deepEqual([...config.labels.keys()], ['a', 'b']);
    await lab.store.remove('one');
    await using other = new ImageLab();
    const second = await other.store.fromHost({
      executables: ['bash', 'busybox'],
      links: { '/bin/b': 'a', '/bin/a': 'b' },
      labels: { a: '2', b: '1' },
      reference: 'x',
    });
    assert.equal(second.id, first.id);
    assert.equal(second.manifestDigest, first.manifestDigest);
  });

  it('finds libraries as the loader does', async () => {
    // What the dynamic loader itself says it loads, for comparison only.
    const said = run(process.execPath, '-p', 'process.report.getReport().sharedObjects.join("\\n")');
    const libraries = said.split('\n').filter((path) => path.startsWith('/'));
    await lab.store.fromHost({ executables: [process.execPath], reference: 'node' });
    await lab.withRoot('node', (root) => {
      for (const library of libraries)
        assert.deepEqual(readFileSync(join(root, realpathSync(library))), readFileSync(library), library);
    });
  });

  /** A copy of an executable that needs a library of another name. */
  const needing = (name: string, library: string): string => {
    const path = lab.path(name);
    const bytes = readFileSync(realpathSync('/bin/bash'));
    for (let at = bytes.indexOf('libc.so.6\0'); at >= 0; at = bytes.indexOf('libc.so.6\0', at + 1))
      bytes.write(library, at, 'latin1');
    writeFileSync(path, bytes, { mode: 0o755 });
    assert.ok(readElf(path)?.needed.includes(library));
    return path;
  };

  it('names the executable and the library that is missing', async () => {
    const before_ = lab.state();
    const executable = needing('needy', 'libq.so.6');
    await assert.rejects(lab.store.fromHost({ executables: [executable], reference: 'x' }), (error) => {
      assert.ok(EngineError.is(error, 'NOT_FOUND', 'LIBRARY_NOT_FOUND'), String(error));
      assert.equal(error.details['executable'], executable);
      assert.equal(error.details['library'], 'libq.so.6');
      assert.ok(error.message.includes('libq.so.6') && error.message.includes(executable));
      return true;
    });
    assert.deepEqual(lab.state(), before_);
  });

  it('takes a library that the caller gives', async () => {
    const executable = needing('given', 'libq.so.6');
    const libc =
      readElf(executable) && run('sh', '-c', 'ls /lib/*/libc.so.6 /lib64/libc.so.6 2>/dev/null | head -1').trim();
    const source = lab.path('libq.so.6');
    copyFileSync(libc as string, source);
    await lab.store.fromHost({
      executables: [executable],
      files: [{ source, target: '/opt/lib/libq.so.6' }],
      reference: 'given',
    });
    const tree = await lab.tree('given');
    assert.match(
      tree[`${realpathSync(dirname(libc as string)).slice(1)}/libq.so.6`] as string,
      /^symlink \/opt\/lib\/libq\.so\.6/,
    );
  });

  it('follows RPATH, RUNPATH and $ORIGIN, inherited and nested', {
    skip: hasTool('gcc') ? false : 'missing: gcc',
  }, async () => {
    const dir = lab.path('linked');
    for (const name of ['bin', 'lib/inner', 'conf']) mkdirSync(join(dir, name), { recursive: true });
    writeFileSync(join(dir, 'deep.c'), 'int deep(void) { return 7; }');
    writeFileSync(join(dir, 'mid.c'), 'int deep(void); int mid(void) { return deep() * 6; }');
    writeFileSync(
      join(dir, 'main.c'),
      '#include <stdio.h>\nint mid(void); int main(void) { printf("%d\\n", mid()); return 0; }',
    );
    const cc = (...args: string[]) => run('gcc', '-O1', ...args);
    const at = (name: string) => join(dir, name);
    for (const tags of ['--disable-new-dtags', '--enable-new-dtags']) {
      cc('-shared', '-fPIC', '-o', at('lib/inner/libdeep.so'), at('deep.c'));
      cc(
        '-shared',
        '-fPIC',
        '-o',
        at('lib/libmid.so'),
        at('mid.c'),
        `-L${at('lib/inner')}`,
        '-ldeep',
        `-Wl,${tags},-rpath,$ORIGIN/inner`,
      );
      cc(
        '-o',
        at('bin/main'),
        at('main.c'),
        `-L${at('lib')}`,
        '-lmid',
        `-Wl,${tags},-rpath,$ORIGIN/../lib`,
        `-Wl,-rpath-link,${at('lib/inner')}`,
      );
      await lab.store.fromHost({ executables: [at('bin/main')], reference: 'linked' });
      assert.equal(await inImage('linked', at('bin/main')), '42\n', tags);
    }
    // An RPATH reaches what a library needs, a RUNPATH does not.
    cc('-shared', '-fPIC', '-o', at('lib/libmid.so'), at('mid.c'), `-L${at('lib/inner')}`, '-ldeep');
    const link = (tags: string) =>
      cc(
        '-o',
        at('bin/main'),
        at('main.c'),
        `-L${at('lib')}`,
        '-lmid',
        `-Wl,${tags},-rpath,${at('lib')}:${at('lib/inner')}`,
      );
    link('--disable-new-dtags');
    await lab.store.fromHost({ executables: [at('bin/main')], reference: 'linked' });
    assert.equal(await inImage('linked', at('bin/main')), '42\n');
    link('--enable-new-dtags');
    await assert.rejects(
      lab.store.fromHost({ executables: [at('bin/main')] }),
      (error) => EngineError.is(error, 'NOT_FOUND', 'LIBRARY_NOT_FOUND') && error.details['library'] === 'libdeep.so',
    );
  });

  it('keeps chains of links and directories of files', async () => {
    const dir = lab.path('app');
    mkdirSync(join(dir, 'deep/er'), { recursive: true });
    writeFileSync(join(dir, 'deep/er/file'), 'x');
    symlinkSync('deep/er', join(dir, 'short'));
    symlinkSync('short/file', join(dir, 'chain'));
    await lab.store.fromHost({
      executables: ['busybox'],
      files: [join(dir, 'chain'), { source: dir, target: '/app' }],
      reference: 'files',
    });
    const tree = await lab.tree('files');
    const inside = realpathSync(dir).slice(1);
    assert.match(tree[`${inside}/chain`] as string, /^symlink short\/file/);
    assert.match(tree[`${inside}/short`] as string, /^symlink deep\/er/);
    assert.match(tree[`${inside}/deep/er/file`] as string, /size=1/);
    assert.match(tree['app/chain'] as string, /^symlink short\/file/);
    assert.match(tree['app/deep/er/file'] as string, /size=1/);
  });

  it('refuses what it cannot copy', async () => {
    const before_ = lab.state();
    const text = lab.path('plain');
    writeFileSync(text, 'no program');
    const refuses = (options: object, reason: string) =>
      assert.rejects(lab.store.fromHost({ executables: [], ...options }), (error) => {
        assert.ok(EngineError.is(error), String(error));
        assert.equal(error.reason, reason, error.message);
        return true;
      });
    await refuses({ executables: ['/does/not/exist'] }, 'SOURCE_NOT_FOUND');
    await refuses({ executables: ['no-such-program-anywhere'] }, 'SOURCE_NOT_FOUND');
    await refuses({ executables: ['relative/path'] }, 'SOURCE_NOT_FOUND');
    await refuses({ executables: ['/etc'] }, 'SOURCE_NOT_FOUND');
    await refuses({ executables: [text] }, 'BAD_SOURCE');
    await refuses({ executables: [''] }, 'BAD_OPTION');
    await refuses({ executables: 'busybox' }, 'BAD_OPTION');
    await refuses({ files: ['relative'] }, 'BAD_OPTION');
    await refuses({ files: ['/does/not/exist'] }, 'SOURCE_NOT_FOUND');
    await refuses({ files: ['/dev/null'] }, 'BAD_SOURCE');
    await refuses({ files: [{ content: 'x', target: 'y' }] }, 'BAD_OPTION');
    await refuses({ links: { x: 'y' } }, 'BAD_OPTION');
    await refuses({ reference: 'UP' }, 'BAD_REFERENCE');
    await refuses({ env: ['x'] }, 'BAD_ENV');
    await refuses({ labels: { '': 'x' } }, 'BAD_LABEL');
    await refuses({ workingDir: 'x' }, 'BAD_OPTION');
    assert.deepEqual(lab.state(), before_);
  });
});
