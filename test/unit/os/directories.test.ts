import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { emptyDirectory, findExecutable, makePrivateDir, SYSTEM_PATH } from '#src/os/index.js';
import { requireRoot } from '#support/require.js';
import { tempDir } from '#support/roots.js';
import { throwsReason } from '#support/throws-reason.js';

const modeOf = (path: string) => statSync(path).mode & 0o7777;

describe('makePrivateDir', () => {
  it('makes it and its parents with the mode, whatever the umask', (t) => {
    const dir = tempDir(t);
    const before = process.umask(0o777);
    try {
      makePrivateDir(join(dir, 'strict'));
      process.umask(0);
      makePrivateDir(join(dir, 'a/b'));
      makePrivateDir(join(dir, 'shared'), 0o711);
    } finally {
      process.umask(before);
    }
    assert.equal(modeOf(join(dir, 'strict')), 0o700);
    assert.equal(modeOf(join(dir, 'a')), 0o700);
    assert.equal(modeOf(join(dir, 'a/b')), 0o700);
    assert.equal(modeOf(join(dir, 'shared')), 0o711);
  });

  it('tightens one that is there and keeps what is in it', (t) => {
    const path = join(tempDir(t), 'x');
    mkdirSync(path);
    chmodSync(path, 0o1777);
    writeFileSync(join(path, 'kept'), '');
    makePrivateDir(path);
    makePrivateDir(path);
    assert.equal(modeOf(path), 0o700);
    assert.deepEqual(readdirSync(path), ['kept']);
  });

  it('refuses a link, a file and what belongs to others', async (t) => {
    const dir = tempDir(t);
    mkdirSync(join(dir, 'real'));
    symlinkSync('real', join(dir, 'link'));
    throwsReason(() => makePrivateDir(join(dir, 'link')), 'ROOT_NOT_OURS');
    writeFileSync(join(dir, 'file'), '');
    assert.throws(() => makePrivateDir(join(dir, 'file')), /EEXIST/);
    if (!requireRoot(t)) return;
    const { chownSync } = await import('node:fs');
    chownSync(join(dir, 'real'), 1234, 0);
    assert.equal(throwsReason(() => makePrivateDir(join(dir, 'real')), 'ROOT_NOT_OURS').details['uid'], 1234);
  });
});

describe('emptyDirectory', () => {
  it('removes all in it and keeps the directory itself and what its links mean', async (t) => {
    const dir = tempDir(t);
    const path = join(dir, 'full');
    mkdirSync(join(path, 'a/b/c'), { recursive: true });
    mkdirSync(join(dir, 'outside'));
    writeFileSync(join(dir, 'outside/kept'), '');
    writeFileSync(join(path, '.hidden'), '');
    symlinkSync('../outside', join(path, 'link'));
    symlinkSync('/not/there', join(path, 'dangling'));
    chmodSync(path, 0o711);
    const inode = statSync(path).ino;
    await emptyDirectory(path);
    assert.deepEqual(readdirSync(path), []);
    assert.equal(statSync(path).ino, inode);
    assert.equal(modeOf(path), 0o711);
    assert.deepEqual(readdirSync(join(dir, 'outside')), ['kept']);
    await emptyDirectory(path);
  });

  it('makes none, and touches neither a file nor a link in its place', async (t) => {
    const dir = tempDir(t);
    await emptyDirectory(join(dir, 'none'));
    assert.equal(existsSync(join(dir, 'none')), false);
    mkdirSync(join(dir, 'real'));
    writeFileSync(join(dir, 'real/kept'), '');
    symlinkSync('real', join(dir, 'link'));
    await emptyDirectory(join(dir, 'link'));
    await emptyDirectory(join(dir, 'real/kept'));
    assert.deepEqual(readdirSync(join(dir, 'real')), ['kept']);
  });
});

describe('findExecutable', () => {
  it('takes the first executable file of the directories', (t) => {
    const dir = tempDir(t);
    for (const name of ['a', 'b', 'c']) mkdirSync(join(dir, name));
    mkdirSync(join(dir, 'a/tool'));
    writeFileSync(join(dir, 'b/tool'), '', { mode: 0o644 });
    writeFileSync(join(dir, 'c/tool'), '', { mode: 0o755 });
    const paths = ['a', 'b', 'c', 'none'].map((name) => join(dir, name));
    assert.equal(findExecutable('tool', paths), join(dir, 'c/tool'));
    assert.equal(findExecutable('other', paths), undefined);
    assert.equal(findExecutable(join(dir, 'c/tool')), join(dir, 'c/tool'));
    assert.equal(findExecutable(join(dir, 'b/tool')), undefined);
    assert.equal(findExecutable(join(dir, 'a')), undefined);
  });

  it('looks in the directories of the system, not in PATH', (t) => {
    const dir = tempDir(t);
    writeFileSync(join(dir, 'caisson-only-here'), '', { mode: 0o755 });
    const path = process.env['PATH'];
    process.env['PATH'] = dir;
    try {
      assert.equal(findExecutable('caisson-only-here'), undefined);
      assert.ok(SYSTEM_PATH.some((system) => findExecutable('sh') === `${system}/sh`));
    } finally {
      process.env['PATH'] = path;
    }
  });
});
