import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { EngineError } from '#src/errors/index.js';
import { removeBeneath } from '#src/os/index.js';
import { errnoOf, mount, umount } from '#src/os/syscalls/index.js';
import { openDirectoryBeneath, walkDirectories } from '#src/os/trees/open-directory-beneath.js';
import { requireBinary, requireRoot } from '#support/require.js';

let dir: string;
let fd: number;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'remove-beneath-'));
  fd = openSync(dir, 'r');
});
afterEach(() => {
  closeSync(fd);
  rmSync(dir, { recursive: true, force: true });
});

const errno = (wanted: string) => (error: unknown) => errnoOf(error) === wanted;

describe('removeBeneath', () => {
  it('removes a file, a link, a tree, and nothing', async () => {
    mkdirSync(join(dir, 'outside'));
    writeFileSync(join(dir, 'outside', 'precious'), '');
    symlinkSync(join(dir, 'outside'), join(dir, 'link'));
    writeFileSync(join(dir, 'file'), '');
    mkdirSync(join(dir, 'tree', 'a', 'b'), { recursive: true });
    symlinkSync(join(dir, 'outside'), join(dir, 'tree', 'a', 'link'));
    writeFileSync(join(dir, 'tree', 'large'), '');
    truncateSync(join(dir, 'tree', 'large'), 100 * 2 ** 20);
    for (const name of ['file', 'link', 'tree', 'none']) await removeBeneath(fd, name);
    assert.deepEqual(readdirSync(dir, { recursive: true }).sort(), ['outside', 'outside/precious']);
  });

  it('takes what is deeper than a path can name, keeps it below the name until then, and few descriptors', async () => {
    let inner = join(dir, 'inner');
    mkdirSync(inner);
    for (let level = 0; level < 300; level++) {
      const outer = join(dir, `o${level}`);
      mkdirSync(outer);
      renameSync(inner, join(outer, 'd'.repeat(40)));
      inner = outer;
    }
    renameSync(inner, join(dir, 'tree'));
    for (let n = 0; n < 30; n++) writeFileSync(join(dir, 'tree', `${n}`), '');
    const before = readdirSync('/proc/self/fd').length;
    const removal = removeBeneath(fd, 'tree');
    let most = 0;
    let names: string[] = [];
    const watch = setInterval(() => {
      most = Math.max(most, readdirSync('/proc/self/fd').length - before);
      names = [...new Set([...names, ...readdirSync(dir)])];
    }, 0);
    await removal;
    clearInterval(watch);
    assert.deepEqual(readdirSync(dir), []);
    assert.ok(most <= 70, `${most} descriptors`);
    assert.deepEqual(
      names.filter((name) => name !== 'tree'),
      [],
    );
    assert.equal(readdirSync('/proc/self/fd').length, before);
  });

  it('frees what is immutable, also where deep directories are moved to', async (t) => {
    const chattr = requireBinary(t, 'chattr');
    if (chattr === undefined || !requireRoot(t)) return;
    const deep = join(dir, 'tree', ...Array.from({ length: 60 }, () => 'd'));
    mkdirSync(deep, { recursive: true });
    writeFileSync(join(deep, 'file'), '');
    const fixed = [join(deep, 'file'), deep, join(dir, 'tree')];
    if (spawnSync(chattr, ['+i', ...fixed]).status !== 0) return t.skip('missing: immutable files in the tmpdir');
    assert.throws(() => writeFileSync(join(dir, 'tree', 'new'), ''));
    await removeBeneath(fd, 'tree');
    assert.deepEqual(readdirSync(dir), []);
  });

  it('goes on where another directory took the name of the one it empties', async () => {
    mkdirSync(join(dir, 'tree', 'a'), { recursive: true });
    mkdirSync(join(dir, 'tree', 'b'));
    for (let n = 0; n < 2000; n++) writeFileSync(join(dir, 'tree', 'a', `f${n}`), '');
    for (let n = 0; n < 2000; n++) writeFileSync(join(dir, 'tree', 'b', `f${n}`), '');
    const removal = removeBeneath(fd, 'tree');
    await delay(2);
    // Exchanged once and never back: the name of what it empties is another's now.
    for (const [from, to] of [
      ['a', 'c'],
      ['b', 'a'],
      ['c', 'b'],
    ]) {
      if (existsSync(join(dir, 'tree', from as string)))
        renameSync(join(dir, 'tree', from as string), join(dir, 'tree', to as string));
    }
    await removal;
    assert.deepEqual(readdirSync(dir), []);
  });

  it('enters no mount and removes none', async (t) => {
    if (!requireRoot(t)) return;
    const inner = join(dir, 'tree', 'inner');
    mkdirSync(inner, { recursive: true });
    mkdirSync(join(dir, 'host'));
    writeFileSync(join(dir, 'host', 'precious'), '');
    writeFileSync(join(dir, 'tree', 'file'), '');
    mount(join(dir, 'host'), inner, null, 4096, null);
    await assert.rejects(removeBeneath(fd, 'tree'), errno('EXDEV'));
    umount(inner);
    mount(join(dir, 'host', 'precious'), join(dir, 'host', 'precious'), null, 4096, null);
    await assert.rejects(removeBeneath(fd, 'host'), errno('EBUSY'));
    umount(join(dir, 'host', 'precious'));
    assert.ok(existsSync(join(dir, 'host', 'precious')));
    await removeBeneath(fd, 'tree');
  });

  it('is ended by a signal', async () => {
    mkdirSync(join(dir, 'tree'));
    for (let n = 0; n < 3000; n++) writeFileSync(join(dir, 'tree', `f${n}`), '');
    const controller = new AbortController();
    const removal = removeBeneath(fd, 'tree', { signal: controller.signal });
    controller.abort();
    await assert.rejects(removal, (error) => EngineError.is(error, 'CANCELED'));
    await removeBeneath(fd, 'tree');
    assert.deepEqual(readdirSync(dir), []);
  });
});

for (const [how, open] of [
  ['openat2', openDirectoryBeneath],
  ['a walk, for kernels without it', walkDirectories],
] as const) {
  describe(`a directory beneath another, by ${how}`, () => {
    it('is opened through directories only', () => {
      mkdirSync(join(dir, 'a', 'b'), { recursive: true });
      symlinkSync('a', join(dir, 'link'));
      symlinkSync('b', join(dir, 'a', 'link'));
      writeFileSync(join(dir, 'a', 'file'), '');
      for (const pathOnly of [false, true]) {
        const found = open(fd, 'a//b/', { pathOnly });
        assert.equal(readlinkSync(`/proc/self/fd/${found}`), join(dir, 'a', 'b'));
        closeSync(found);
      }
      const before = readdirSync('/proc/self/fd').length;
      for (const path of ['link/b', 'a/link', 'a/file', 'link'])
        assert.throws(
          () => open(fd, path),
          (error) => ['ELOOP', 'ENOTDIR'].includes(errnoOf(error) ?? ''),
        );
      assert.throws(() => open(fd, 'a/none'), errno('ENOENT'));
      assert.throws(() => open(fd, 'a/../..'), errno('EXDEV'));
      assert.equal(readdirSync('/proc/self/fd').length, before);
    });

    it('is on the same mount', (t) => {
      if (!requireRoot(t)) return;
      const inner = join(dir, 'a', 'inner');
      mkdirSync(join(inner, 'deep'), { recursive: true });
      mount(inner, inner, null, 4096, null);
      for (const path of ['a/inner', 'a/inner/deep']) assert.throws(() => open(fd, path), errno('EXDEV'));
      umount(inner);
      closeSync(open(fd, 'a/inner/deep'));
    });
  });
}
