import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { copyOnFirstUse } from '#src/containers/volumes/first-use-copy.js';
import { lgetxattr, lsetxattr } from '#src/os/syscalls/index.js';
import { tempDir } from '#support/roots.js';

const skip = process.geteuid?.() === 0 ? false : 'missing: root';

function bed(t: Parameters<typeof tempDir>[0]) {
  const dir = tempDir(t, 'first-use');
  const [rootfs, mountpoint] = [join(dir, 'rootfs'), join(dir, 'volume')];
  mkdirSync(rootfs);
  mkdirSync(mountpoint);
  const use = { rootfs, target: '/data', mountpoint, lockPath: join(dir, 'locks/volume') };
  return { dir, rootfs, mountpoint, use };
}

function fill(path: string): void {
  mkdirSync(join(path, 'sub/deep'), { recursive: true });
  writeFileSync(join(path, 'file'), 'content');
  writeFileSync(join(path, 'sub/deep/x'), 'x');
  linkSync(join(path, 'sub/deep/x'), join(path, 'y'));
  symlinkSync('/etc/passwd', join(path, 'link'));
  lsetxattr(join(path, 'file'), 'user.a', Buffer.from('b'));
  chownSync(join(path, 'file'), 1000, 50);
  chmodSync(join(path, 'file'), 0o4711);
  chownSync(path, 77, 88);
  chmodSync(path, 0o1770);
}

function assertFilled(path: string): void {
  assert.deepEqual(readdirSync(path).sort(), ['file', 'link', 'sub', 'y']);
  assert.equal(readFileSync(join(path, 'sub/deep/x'), 'utf8'), 'x');
  assert.equal(lstatSync(join(path, 'y')).ino, lstatSync(join(path, 'sub/deep/x')).ino);
  assert.equal(readlinkSync(join(path, 'link')), '/etc/passwd');
  assert.equal(lgetxattr(join(path, 'file'), 'user.a')?.toString(), 'b');
  const file = lstatSync(join(path, 'file'));
  assert.deepEqual([file.uid, file.gid, file.mode & 0o7777], [1000, 50, 0o4711]);
  const root = lstatSync(path);
  assert.deepEqual([root.uid, root.gid, root.mode & 0o7777], [77, 88, 0o1770]);
}

describe('the first use of a volume', { skip }, () => {
  it("copies the image's content and the directory's own attributes into an empty volume, once", async (t) => {
    const { rootfs, mountpoint, use, dir } = bed(t);
    fill(join(rootfs, 'data'));
    await copyOnFirstUse(use);
    assertFilled(mountpoint);
    writeFileSync(join(rootfs, 'data/new'), '');
    await copyOnFirstUse(use);
    assertFilled(mountpoint);
    assert.deepEqual(readdirSync(join(dir, 'locks')), []);
  });

  it('takes the attributes of an empty directory too', async (t) => {
    const { rootfs, mountpoint, use } = bed(t);
    mkdirSync(join(rootfs, 'data'));
    chownSync(join(rootfs, 'data'), 1000, 1000);
    chmodSync(join(rootfs, 'data'), 0o700);
    await copyOnFirstUse(use);
    const { uid, mode } = lstatSync(mountpoint);
    assert.deepEqual([uid, mode & 0o7777, readdirSync(mountpoint)], [1000, 0o700, []]);
  });

  it('leaves a volume alone that has anything in it, or an image that has nothing there', async (t) => {
    const { rootfs, mountpoint, use } = bed(t);
    await copyOnFirstUse(use);
    writeFileSync(join(rootfs, 'data'), 'a file');
    await copyOnFirstUse(use);
    assert.deepEqual(readdirSync(mountpoint), []);
    rmSync(join(rootfs, 'data'));
    fill(join(rootfs, 'data'));
    writeFileSync(join(mountpoint, 'own'), '');
    await copyOnFirstUse(use);
    assert.deepEqual(readdirSync(mountpoint), ['own']);
  });

  it("looks for the image's side inside its root only", async (t) => {
    const { rootfs, mountpoint, use, dir } = bed(t);
    const outside = join(dir, 'outside');
    mkdirSync(outside);
    writeFileSync(join(outside, 'secret'), '');
    for (const link of [outside, `../../../../../../../..${outside}`]) {
      symlinkSync(link, join(rootfs, 'data'));
      await copyOnFirstUse(use);
      assert.deepEqual(readdirSync(mountpoint), [], link);
      rmSync(join(rootfs, 'data'));
    }
    fill(join(rootfs, 'other'));
    symlinkSync('/other', join(rootfs, 'data'));
    await copyOnFirstUse(use);
    assertFilled(mountpoint);
  });

  it('begins anew where a copier died at its copy, and goes on where one died at moving', async (t) => {
    const { rootfs, mountpoint, use } = bed(t);
    fill(join(rootfs, 'data'));
    mkdirSync(join(mountpoint, '.caisson-copying/half'), { recursive: true });
    writeFileSync(join(mountpoint, '.caisson-copying/half/file'), 'ha');
    await copyOnFirstUse(use);
    assertFilled(mountpoint);
    rmSync(mountpoint, { recursive: true });
    mkdirSync(join(mountpoint, '.caisson-copied'), { recursive: true });
    fill(join(mountpoint, '.caisson-copied'));
    rmSync(join(rootfs, 'data'), { recursive: true });
    writeFileSync(join(mountpoint, 'file'), 'somebody was here');
    await copyOnFirstUse({ ...use, onlyRepair: true });
    assert.equal(readFileSync(join(mountpoint, 'file'), 'utf8'), 'somebody was here');
    assert.deepEqual(readdirSync(mountpoint).sort(), ['file', 'link', 'sub', 'y']);
    assert.equal(lstatSync(mountpoint).uid, 77);
  });

  it('of several at once one copies and all find it whole', async (t) => {
    const { rootfs, mountpoint, use } = bed(t);
    fill(join(rootfs, 'data'));
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        await copyOnFirstUse(use);
        assertFilled(mountpoint);
      }),
    );
  });

  it('leaves an empty volume when it is aborted', async (t) => {
    const { rootfs, mountpoint, use } = bed(t);
    for (let n = 0; n < 3000; n++) {
      mkdirSync(join(rootfs, `data/${n % 10}`), { recursive: true });
      writeFileSync(join(rootfs, `data/${n % 10}/${n}`), 'x');
    }
    const aborter = new AbortController();
    setTimeout(() => aborter.abort(), 5);
    await assert.rejects(copyOnFirstUse(use, { signal: aborter.signal }), { reason: 'CANCELED' });
    assert.deepEqual(readdirSync(mountpoint), []);
    assert.ok(!existsSync(join(mountpoint, '.caisson-copied')));
  });
});
