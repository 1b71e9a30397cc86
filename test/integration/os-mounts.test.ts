import assert from 'node:assert/strict';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { EngineError } from '#src/errors/index.js';
import { escapeOverlayPath, type Mount, mountAll, readMountInfo, unmount } from '#src/os/index.js';
import { errnoOf, MNT_DETACH, MS, mount, umount } from '#src/os/syscalls/index.js';
import { requireRoot } from '#support/require.js';

/** A directory whose mounts are taken away before it is removed. */
function mountDir(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'caisson-mounts-'));
  t.after(() => {
    for (const { mountPoint } of readMountInfo().reverse()) {
      if (mountPoint.startsWith(`${dir}/`)) umount(mountPoint, MNT_DETACH);
    }
    rmSync(dir, { recursive: true, force: true });
  });
  return dir;
}

function make(dir: string, ...names: string[]): string[] {
  return names.map((name) => {
    const path = join(dir, name);
    mkdirSync(path, { recursive: true });
    return path;
  });
}

const mountsAt = (path: string) => readMountInfo().filter((one) => one.mountPoint === path);
const tmpfs = (...options: string[]): Mount => ({ type: 'tmpfs', source: 'caisson-test', options });
const bind = (source: string, ...options: string[]): Mount => ({ type: 'bind', source, options: ['bind', ...options] });
const errno = (wanted: string) => (error: unknown) => EngineError.is(error) && errnoOf(error) === wanted;

describe('mountAll', () => {
  it('binds a directory, writable or read-only', (t) => {
    if (!requireRoot(t)) return;
    const dir = mountDir(t);
    const [source, target] = make(dir, 'source', 'target') as [string, string];
    mountAll([bind(source)], target);
    writeFileSync(join(target, 'file'), 'seen on both sides');
    assert.equal(readFileSync(join(source, 'file'), 'utf8'), 'seen on both sides');
    unmount(target);
    assert.deepEqual(readdirSync(target), []);

    mountAll([bind(source, 'ro', 'nosuid', 'nodev', 'noexec')], target);
    assert.throws(() => writeFileSync(join(target, 'no'), ''), /EROFS/);
    const [info] = mountsAt(target);
    for (const word of ['ro', 'nosuid', 'nodev', 'noexec']) assert.ok(info?.options.includes(word), word);
    writeFileSync(join(source, 'still'), 'the source is as it was');
    unmount(target);
  });

  it('binds with what is mounted below, and sets the propagation', (t) => {
    if (!requireRoot(t)) return;
    const dir = mountDir(t);
    const [source, below, flat, deep] = make(dir, 'source', 'source/below', 'flat', 'deep') as [
      string,
      string,
      string,
      string,
    ];
    mountAll([tmpfs('size=64k')], below);
    writeFileSync(join(below, 'inner'), '');
    mountAll([{ type: 'bind', source, options: ['bind', 'rprivate'] }], flat);
    mountAll([{ type: 'bind', source, options: ['rbind', 'rslave'] }], deep);
    assert.deepEqual(readdirSync(join(flat, 'below')), []);
    assert.deepEqual(readdirSync(join(deep, 'below')), ['inner']);
  });

  it('passes unknown words to the file system, names of object members too', (t) => {
    if (!requireRoot(t)) return;
    const [target] = make(mountDir(t), 'target') as [string];
    mountAll([tmpfs('size=128k', 'mode=0711', 'nosuid', 'rw', 'defaults')], target);
    const [info] = mountsAt(target);
    assert.match(info?.superOptions ?? '', /size=128k/);
    assert.match(info?.superOptions ?? '', /mode=711/);
    unmount(target);
    for (const word of ['constructor', 'toString', '__proto__', 'nonsense']) {
      assert.throws(() => mountAll([tmpfs(word)], target), errno('EINVAL'), word);
      assert.equal(mountsAt(target).length, 0);
    }
  });

  it('joins layers to an overlay, at paths that need escapes, and beyond a page of options', (t) => {
    if (!requireRoot(t)) return;
    const dir = mountDir(t);
    const odd = join(dir, 'with:colon,comma\\ and space ü', 'x'.repeat(60));
    const [upper, work, merged] = make(odd, 'upper', 'work', 'merged') as [string, string, string];
    for (const count of [2, 60]) {
      const lowers = make(odd, ...Array.from({ length: count }, (_, n) => `l${count}-${n}`));
      lowers.forEach((lower, n) => {
        writeFileSync(join(lower, `file${n}`), String(n));
        writeFileSync(join(lower, 'top'), String(n));
      });
      const options = [
        `lowerdir=${lowers.map(escapeOverlayPath).join(':')}`,
        `upperdir=${escapeOverlayPath(upper)}`,
        `workdir=${escapeOverlayPath(work)}`,
      ];
      mountAll([{ type: 'overlay', source: 'overlay', options }], merged);
      assert.equal(readFileSync(join(merged, 'top'), 'utf8'), '0');
      assert.equal(readFileSync(join(merged, `file${count - 1}`), 'utf8'), String(count - 1));
      assert.equal(mountsAt(merged).length, 1, 'mountinfo gives the path as it is');
      unmount(merged);
    }
  });

  it('undoes its own mounts when one fails, and no other', (t) => {
    if (!requireRoot(t)) return;
    const dir = mountDir(t);
    const [source, target] = make(dir, 'source', 'target') as [string, string];
    mountAll([tmpfs()], target);
    writeFileSync(join(target, 'before'), '');
    const missing = bind(join(dir, 'none'));
    assert.throws(() => mountAll([bind(source), bind(source), missing], target), errno('ENOENT'));
    assert.equal(mountsAt(target).length, 1);
    assert.deepEqual(readdirSync(target), ['before']);
    // The bind succeeds here, and what comes after it on the same mount fails.
    assert.throws(() => mountAll([bind(source, 'shared', 'slave')], target), errno('EINVAL'));
    assert.equal(mountsAt(target).length, 1);
  });
});

describe('mount', () => {
  it('fails with a typed error that names target and errno', (t) => {
    if (!requireRoot(t)) return;
    const [target] = make(mountDir(t), 'target') as [string];
    assert.throws(
      () => mount('x', target, 'no-such-fs', 0, null),
      (error) => errno('ENODEV')(error) && (error as EngineError).details['target'] === target,
    );
    assert.throws(() => mount('tmpfs', `${target}/none`, 'tmpfs', 0, null), errno('ENOENT'));
    assert.throws(() => mount('tmpfs', `${target}\0/etc`, 'tmpfs', 0, null), errno('EINVAL'));
    assert.equal(mountsAt(target).length, 0);
  });

  it('makes a mount read-only later', (t) => {
    if (!requireRoot(t)) return;
    const [target] = make(mountDir(t), 'target') as [string];
    mount('tmpfs', target, 'tmpfs', MS.NOSUID, 'size=64k');
    mount('none', target, null, MS.REMOUNT | MS.BIND | MS.RDONLY, null);
    assert.throws(() => writeFileSync(join(target, 'x'), ''), /EROFS/);
  });
});

describe('unmount', () => {
  it('takes away all mounts of a place, and does nothing where there is none', (t) => {
    if (!requireRoot(t)) return;
    const dir = mountDir(t);
    const [target] = make(dir, 'target') as [string];
    for (let n = 0; n < 3; n++) mountAll([tmpfs()], target);
    unmount(target);
    assert.equal(mountsAt(target).length, 0);
    unmount(target);
    unmount(join(dir, 'none'));
    writeFileSync(join(dir, 'file'), '');
    unmount(join(dir, 'file'));
  });

  it('reports a busy mount, or detaches it when lazy', (t) => {
    if (!requireRoot(t)) return;
    const [target] = make(mountDir(t), 'target') as [string];
    mountAll([tmpfs()], target);
    const fd = openSync(join(target, 'open'), 'w');
    try {
      assert.throws(() => unmount(target), errno('EBUSY'));
      assert.equal(mountsAt(target).length, 1);
      unmount(target, { lazy: true });
      assert.equal(mountsAt(target).length, 0);
      assert.equal(existsSync(join(target, 'open')), false);
      writeFileSync(fd, 'the open file goes on');
      unmount(target, { lazy: true });
    } finally {
      closeSync(fd);
    }
  });

  it('does not follow a link in the place of the target', (t) => {
    if (!requireRoot(t)) return;
    const dir = mountDir(t);
    const [target] = make(dir, 'target') as [string];
    symlinkSync('target', join(dir, 'link'));
    mountAll([tmpfs()], target);
    unmount(join(dir, 'link'), { lazy: true });
    assert.equal(mountsAt(target).length, 1);
  });
});
