import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  closeSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { EngineError } from '#src/errors/index.js';
import { lgetxattr, llistxattr, lsetxattr, mkfifo, mknod, utimensat } from '#src/os/syscalls/index.js';
import { copyTree } from '#src/os/trees/copy-tree.js';

const skip = process.geteuid?.() === 0 ? false : 'missing: root';

describe('copyTree', { skip }, () => {
  let dir: string;
  let from: string;
  let to: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'copy-tree-'));
    from = join(dir, 'from');
    to = join(dir, 'to');
    mkdirSync(from);
    mkdirSync(to);
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  // Everything that can be told of a tree; hard links as the first path of their inode.
  function describeTree(root: string): unknown[] {
    const inodes = new Map<bigint, string>();
    const paths = ['', ...(readdirSync(root, { recursive: true, encoding: 'latin1' as 'utf8' }) as string[]).sort()];
    return paths.map((path) => {
      const bytes = Buffer.concat([Buffer.from(`${root}/`), Buffer.from(path, 'latin1')]);
      const stat = lstatSync(bytes, { bigint: true });
      const same = inodes.get(stat.ino) ?? path;
      inodes.set(stat.ino, same);
      const { mode, uid, gid, rdev, mtimeNs, nlink } = stat;
      const xattrs = llistxattr(bytes).map((name) => [name, lgetxattr(bytes, name)?.toString('hex')]);
      const content = stat.isFile() ? readFileSync(bytes).toString('base64') : '';
      const size = stat.isDirectory() ? 0n : stat.size;
      return {
        path,
        mode,
        uid,
        gid,
        rdev,
        mtimeNs,
        size,
        same,
        xattrs,
        content,
        nlink: stat.isDirectory() ? 0n : nlink,
      };
    });
  }

  it('keeps every kind of file with all its attributes', async () => {
    const at = (name: string) => join(from, name);
    mkdirSync(at('dir/sub'), { recursive: true });
    chmodSync(at('dir'), 0o1731);
    writeFileSync(at('dir/file'), 'content');
    linkSync(at('dir/file'), at('hard'));
    chownSync(at('hard'), 1000, 2000);
    chmodSync(at('hard'), 0o6755);
    lsetxattr(at('hard'), 'user.note', Buffer.from('n\0te'));
    lsetxattr(at('hard'), 'trusted.own', Buffer.from([1, 2]));
    lsetxattr(at('dir'), 'user.dir', Buffer.from(''));
    symlinkSync('../nowhere', at('dir/link'));
    mkfifo(at('fifo'), 0o640);
    mknod(at('null'), 0o020666, 1, 3);
    mknod(at('far'), 0o060600, 259, 70000);
    writeFileSync(at('empty'), '');
    writeFileSync(at('read-only'), 'x', { mode: 0o400 });
    writeFileSync(at('big'), Buffer.alloc(700_000, 'ab'));
    const server = createServer().listen(at('socket'));
    await new Promise((resolve) => server.on('listening', resolve));
    writeFileSync(Buffer.concat([Buffer.from(`${from}/`), Buffer.from([0xff, 0x80])]), 'odd name');
    for (const name of ['hard', 'dir/link', 'fifo', 'null', 'dir/sub', 'dir', '.'])
      utimensat(at(name), 1n, -1_500_000_001n);
    try {
      await copyTree(from, to);
      assert.deepEqual(describeTree(to), describeTree(from));
      assert.equal(describeTree(to).length, 14);
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it('leaves holes where they are', async () => {
    const fd = openSync(join(from, 'sparse'), 'w');
    writeSync(fd, 'start', 0);
    writeSync(fd, 'end', 30 * 2 ** 20);
    closeSync(fd);
    await copyTree(from, to);
    assert.ok(readFileSync(join(to, 'sparse')).equals(readFileSync(join(from, 'sparse'))));
    assert.ok(lstatSync(join(to, 'sparse')).blocks <= lstatSync(join(from, 'sparse')).blocks + 16);
  });

  it('stops when aborted', async () => {
    for (let n = 0; n < 2000; n++) writeFileSync(join(from, `f${n}`), '');
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 5);
    await assert.rejects(copyTree(from, to, { signal: abort.signal }), (error) => EngineError.is(error, 'CANCELED'));
    assert.ok(readdirSync(to).length < 2000);
  });
});
