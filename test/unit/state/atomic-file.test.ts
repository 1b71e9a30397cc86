import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { MNT_DETACH, mount, umount } from '#src/os/syscalls/index.js';
import { createFileExclusive, removeStrayTempFiles, writeFileAtomic } from '#src/state/index.js';
import { reason, scratch } from './scratch.js';

const temp = scratch();

function directory(): string {
  const dir = temp('a:b,\nc');
  mkdirSync(dir);
  return dir;
}

test('replaces a file by a new one of the asked mode and leaves nothing beside it', () => {
  const dir = directory();
  const path = join(dir, 'file');
  for (const durable of [false, true]) {
    writeFileAtomic(path, `one ${durable}`, { durable });
    const inode = statSync(path).ino;
    chmodSync(path, 0o666);
    writeFileAtomic(path, Buffer.from('two'), { durable });
    assert.notEqual(statSync(path).ino, inode);
    assert.equal(statSync(path).mode & 0o777, 0o600);
  }
  const umask = process.umask(0o777);
  try {
    writeFileAtomic(path, 'three', { durable: false, mode: 0o644 });
  } finally {
    process.umask(umask);
  }
  assert.equal(statSync(path).mode & 0o777, 0o644);
  assert.equal(readFileSync(path, 'utf8'), 'three');
  assert.deepEqual(readdirSync(dir), ['file']);
});

test('creates exclusively', () => {
  const dir = directory();
  const path = join(dir, 'file');
  assert.equal(createFileExclusive(path, 'mine', { durable: true }), true);
  assert.equal(createFileExclusive(path, 'yours', { durable: false }), false);
  assert.equal(readFileSync(path, 'utf8'), 'mine');
  assert.deepEqual(readdirSync(dir), ['file']);
});

test('a full disk keeps the old content, leaves no temporary file and is named', () => {
  const dir = directory();
  mount('tmpfs', dir, 'tmpfs', 0, 'size=64k');
  try {
    const path = join(dir, 'file');
    const large = 'x'.repeat(1 << 20);
    writeFileAtomic(path, 'old', { durable: true });
    const full = reason('DISK_FULL', { path, errno: 'ENOSPC' });
    assert.throws(() => writeFileAtomic(path, large, { durable: true }), full);
    assert.throws(() => createFileExclusive(`${path}2`, large, { durable: false }), reason('DISK_FULL'));
    assert.equal(readFileSync(path, 'utf8'), 'old');
    assert.deepEqual(readdirSync(dir), ['file']);
  } finally {
    umount(dir, MNT_DETACH);
  }
});

test('a missing directory and a directory in the way are typed errors', () => {
  const dir = directory();
  const missing = join(dir, 'no', 'file');
  assert.throws(() => writeFileAtomic(missing, '', { durable: false }), reason('SYSCALL_FAILED', { errno: 'ENOENT' }));
  mkdirSync(join(dir, 'taken'));
  assert.throws(() => writeFileAtomic(join(dir, 'taken'), '', { durable: false }), reason('SYSCALL_FAILED'));
  assert.deepEqual(readdirSync(dir), ['taken']);
});

test('the sweep removes only temporary files whose writer is gone', () => {
  const dir = directory();
  const dead = spawnSync('true').pid;
  const name = (pid: number, token: string) => `.record.json.${pid}.${token.repeat(16)}.tmp`;
  const files = [name(dead, 'a'), name(process.pid, 'b'), name(dead, 'c'), '.other.tmp', 'record.json'];
  for (const file of files) {
    writeFileSync(join(dir, file), '');
    utimesSync(join(dir, file), 1, 1);
  }
  utimesSync(join(dir, name(dead, 'c')), new Date(), new Date());
  mkdirSync(join(dir, name(dead, 'd'), 'inner'), { recursive: true });
  utimesSync(join(dir, name(dead, 'd')), 1, 1);
  assert.equal(removeStrayTempFiles(dir), 2);
  assert.deepEqual(readdirSync(dir).sort(), files.slice(1).sort());
});
