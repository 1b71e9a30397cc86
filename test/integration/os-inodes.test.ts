import assert from 'node:assert/strict';
import { closeSync, lstatSync, openSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { EngineError } from '#src/errors/index.js';
import {
  errnoOf,
  lgetxattr,
  llistxattr,
  lremovexattr,
  lsetxattr,
  majorOf,
  makeDev,
  minorOf,
  mkfifo,
  mknod,
  syncfs,
  syncfsAsync,
  utimensat,
} from '#src/os/syscalls/index.js';
import { requireRoot } from '#support/require.js';
import { tempDir } from '#support/roots.js';

const errno =
  (...wanted: string[]) =>
  (error: unknown) =>
    EngineError.is(error) && wanted.includes(errnoOf(error) ?? '');

describe('device numbers', () => {
  it('come back as they were, beyond a byte too', () => {
    for (const [major, minor] of [
      [0, 0],
      [1, 3],
      [8, 255],
      [8, 256],
      [259, 1_048_575],
      [4095, 1 << 20],
      [0xfffff, 0xfffff],
    ] as const) {
      const dev = makeDev(major, minor);
      assert.deepEqual([majorOf(dev), minorOf(dev)], [major, minor]);
    }
    assert.equal(makeDev(1, 3), 0x103n);
    const { rdev } = statSync('/dev/null');
    assert.deepEqual([majorOf(rdev), minorOf(rdev)], [1, 3]);
  });
});

describe('mknod', () => {
  it('makes devices and pipes', (t) => {
    if (!requireRoot(t)) return;
    const dir = tempDir(t);
    const before = process.umask(0);
    try {
      mknod(join(dir, 'char'), 0o020640, 1, 3);
      mknod(join(dir, 'block'), 0o060600, 259, 70_000);
      mknod(join(dir, 'plain'), 0o100604, 0, 0);
      mkfifo(join(dir, 'fifo'), 0o622);
    } finally {
      process.umask(before);
    }
    const char = lstatSync(join(dir, 'char'), { bigint: true });
    assert.ok(char.isCharacterDevice());
    assert.equal(Number(char.mode) & 0o7777, 0o640);
    assert.deepEqual([majorOf(char.rdev), minorOf(char.rdev)], [1, 3]);
    const block = lstatSync(join(dir, 'block'), { bigint: true });
    assert.ok(block.isBlockDevice());
    assert.deepEqual([majorOf(block.rdev), minorOf(block.rdev)], [259, 70_000]);
    assert.ok(lstatSync(join(dir, 'plain')).isFile());
    const fifo = lstatSync(join(dir, 'fifo'));
    assert.ok(fifo.isFIFO());
    assert.equal(fifo.mode & 0o7777, 0o622);
  });

  it('does not replace or follow what is there', (t) => {
    if (!requireRoot(t)) return;
    const dir = tempDir(t);
    symlinkSync('elsewhere', join(dir, 'link'));
    assert.throws(() => mknod(join(dir, 'link'), 0o020600, 1, 3), errno('EEXIST'));
    assert.throws(() => mkfifo(join(dir, 'link'), 0o600), errno('EEXIST'));
    assert.throws(() => mkfifo(join(dir, 'none/x'), 0o600), errno('ENOENT'));
    assert.throws(() => mkfifo(join(dir, 'a\0b'), 0o600), errno('EINVAL'));
  });

  it('takes names that are not UTF-8', (t) => {
    const path = Buffer.concat([Buffer.from(`${tempDir(t)}/`), Buffer.of(0xff, 0xfe, 0x80)]);
    mkfifo(path, 0o600);
    assert.ok(lstatSync(path).isFIFO());
    assert.throws(() => mkfifo(Buffer.concat([path, Buffer.of(0, 0x61)]), 0o600), errno('EINVAL'));
  });
});

describe('utimensat', () => {
  it('sets times to the nanosecond, also before 1970', (t) => {
    const path = join(tempDir(t), 'file');
    writeFileSync(path, '');
    for (const [atime, mtime] of [
      [1_700_000_000_123_456_789n, 1_600_000_000_000_000_001n],
      [0n, 1n],
      [-1n, -1_500_000_000n],
      [4_000_000_000_999_999_999n, 2_200_000_000_000_000_000n],
    ] as const) {
      utimensat(path, atime, mtime);
      const stat = lstatSync(path, { bigint: true });
      assert.deepEqual([stat.atimeNs, stat.mtimeNs], [atime, mtime]);
    }
  });

  it('changes a link, not what it leads to', (t) => {
    const dir = tempDir(t);
    writeFileSync(join(dir, 'file'), '');
    symlinkSync('file', join(dir, 'link'));
    const before = statSync(join(dir, 'file')).mtimeMs;
    utimensat(join(dir, 'link'), 5_000_000_000n, 6_000_000_000n);
    assert.equal(lstatSync(join(dir, 'link')).mtimeMs, 6000);
    assert.equal(statSync(join(dir, 'file')).mtimeMs, before);
    symlinkSync('nowhere', join(dir, 'dangling'));
    utimensat(join(dir, 'dangling'), 0n, 7_000_000_000n);
    assert.equal(lstatSync(join(dir, 'dangling')).mtimeMs, 7000);
    assert.throws(() => utimensat(join(dir, 'none'), 0n, 0n), errno('ENOENT'));
  });
});

describe('extended attributes', () => {
  it('come back byte for byte, empty and large ones too', (t) => {
    if (!requireRoot(t)) return;
    const path = join(tempDir(t), 'file');
    writeFileSync(path, '');
    const values: [string, Buffer][] = [
      ['user.empty', Buffer.alloc(0)],
      ['user.zero', Buffer.of(0, 1, 0, 255)],
      ['user.exact', Buffer.alloc(256, 7)],
      ['user.large', Buffer.alloc(2000, 9)],
      ['trusted.ours', Buffer.from('y')],
      ['security.capability', Buffer.from('0100000200200000000000000000000000000000', 'hex')],
    ];
    for (const [name, value] of values) {
      lsetxattr(path, name, value);
      assert.deepEqual(lgetxattr(path, name), value, name);
    }
    const names = values.map(([name]) => name);
    // A security module of the host may have added its own.
    assert.deepEqual(
      llistxattr(path)
        .filter((name) => names.includes(name))
        .sort(),
      [...names].sort(),
    );
    lsetxattr(path, 'user.large', Buffer.from('now small'));
    assert.equal(lgetxattr(path, 'user.large')?.toString(), 'now small');
    for (const name of names) lremovexattr(path, name);
    for (const name of names) assert.equal(lgetxattr(path, name), undefined);
    lremovexattr(path, 'user.empty');
    assert.deepEqual(
      llistxattr(path).filter((name) => names.includes(name)),
      [],
    );
  });

  it('of a link are its own', (t) => {
    if (!requireRoot(t)) return;
    const dir = tempDir(t);
    writeFileSync(join(dir, 'file'), '');
    symlinkSync('file', join(dir, 'link'));
    lsetxattr(join(dir, 'link'), 'trusted.link', Buffer.from('mine'));
    assert.equal(lgetxattr(join(dir, 'link'), 'trusted.link')?.toString(), 'mine');
    assert.equal(lgetxattr(join(dir, 'file'), 'trusted.link'), undefined);
    assert.throws(
      () => lsetxattr(join(dir, 'link'), 'user.link', Buffer.from('x')),
      errno('EPERM', 'ENOTSUP', 'EOPNOTSUPP'),
    );
  });

  it('of a file that is not there, or a file system that has none', (t) => {
    const missing = join(tempDir(t), 'none');
    assert.throws(() => lsetxattr(missing, 'user.x', Buffer.from('x')), errno('ENOENT'));
    assert.throws(() => lgetxattr(missing, 'user.x'), errno('ENOENT'));
    assert.throws(() => llistxattr(missing), errno('ENOENT'));
    assert.throws(() => lremovexattr(missing, 'user.x'), errno('ENOENT'));
    assert.equal(lgetxattr('/proc/version', 'user.x'), undefined);
    assert.deepEqual(llistxattr('/proc/version'), []);
  });
});

describe('syncfs', () => {
  it('writes out, here and on another thread, and knows a bad descriptor', async (t) => {
    const fd = openSync(tempDir(t), 'r');
    try {
      syncfs(fd);
      await syncfsAsync(fd);
    } finally {
      closeSync(fd);
    }
    assert.throws(() => syncfs(9999), errno('EBADF'));
    await assert.rejects(syncfsAsync(9999), errno('EIO'));
  });
});
