import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { applyLayer } from '#src/archive/index.js';
import { mount, umount } from '#src/os/syscalls/index.js';
import { inChunks, smithArchive, smithEntry, smithHeader, smithPax } from '#support/tarsmith.js';
import { snapshotTree, type TreeSnapshot } from '#support/tree.js';

const file = (path: string, data = path, mtime = 1_700_000_000) => smithEntry({ path, mtime }, data);
const dir = (path: string, mtime = 1_700_000_001, mode = 0o755) => smithHeader({ path, type: '5', mode, mtime });
const link = (path: string, linkPath: string) => smithHeader({ path, type: '2', linkPath });
const hard = (path: string, linkPath: string) => smithHeader({ path, type: '1', linkPath });

const base = [
  smithHeader({ path: './', type: '5', mode: 0o751, uid: 3, mtime: 1_600_000_000 }),
  smithPax([
    ['SCHILY.xattr.user.kept', 'yes'],
    ['mtime', '1600000000.5'],
  ]),
  smithHeader({ path: 'd', type: '5', mode: 0o2750, uid: 10, gid: 20 }),
  file('d/one'),
  file('d/two'),
  dir('d/sub'),
  file('d/sub/three'),
  dir('d/sub/deeper'),
  file('d/sub/deeper/four'),
  file('f'),
  link('l', 'd/sub'),
  file('other'),
];

/** Unpacks layers into a full tree and as an overlay, asserts that both show the same and returns it. */
async function unpack(...layers: readonly (readonly Uint8Array[])[]): Promise<TreeSnapshot> {
  const root = mkdtempSync(join(tmpdir(), 'caisson-whiteouts-'));
  let isMounted = false;
  try {
    for (const name of ['full', 'merged', 'bottom']) mkdirSync(join(root, name));
    const lowerPaths: string[] = [];
    for (const [i, parts] of [base, ...layers].entries()) {
      const bytes = smithArchive(...parts);
      await applyLayer(inChunks(bytes), { path: join(root, 'full'), whiteouts: 'apply', lowerPaths: [] });
      const path = join(root, `layer${i}`);
      mkdirSync(path);
      await applyLayer(inChunks(bytes), { path, whiteouts: 'overlay', lowerPaths: [...lowerPaths] });
      lowerPaths.unshift(path);
    }
    mount('overlay', join(root, 'merged'), 'overlay', 0, `lowerdir=${[...lowerPaths, join(root, 'bottom')].join(':')}`);
    isMounted = true;
    const full = snapshotTree(join(root, 'full'));
    const merged = snapshotTree(join(root, 'merged'));
    assert.deepEqual(merged, full, 'overlay and plain tree differ');
    // Whiteouts must not be seen: readdir shows those that stand where nothing is merged.
    assert.equal(execFileSync('find', [join(root, 'merged'), '-type', 'c'], { encoding: 'utf8' }), '');
    return full;
  } finally {
    if (isMounted) umount(join(root, 'merged'), 0);
    rmSync(root, { recursive: true });
  }
}

const paths = (tree: TreeSnapshot) => Object.keys(tree).filter((path) => path !== '.');
const BASE = ['d', 'd/one', 'd/sub', 'd/sub/deeper', 'd/sub/deeper/four', 'd/sub/three', 'd/two', 'f', 'l', 'other'];
const without = (...gone: string[]) =>
  BASE.filter((path) => !gone.some((one) => path === one || path.startsWith(`${one}/`)));

test('a directory that only a lower layer has keeps its owner, mode, attributes and time', async () => {
  const before = await unpack();
  const after = await unpack([file('d/sub/deeper/new')]);
  assert.deepEqual(paths(after), [...BASE, 'd/sub/deeper/new'].sort());
  for (const path of ['.', 'd', 'd/sub', 'd/sub/deeper']) assert.equal(after[path], before[path], path);
  assert.match(after.d as string, /mode=2750 owner=10:20 mtime=1600000000500000000 user.kept=796573/);
});

test('a missing parent is made, root-owned, with the time of the entry that needs it', async () => {
  const tree = await unpack([file('x/y/z', 'z', 1_555_000_000)]);
  for (const path of ['x', 'x/y'])
    assert.equal(tree[path], 'directory mode=755 owner=0:0 mtime=1555000000000000000', path);
});

test('a whiteout hides what lower layers have, wherever it stands', async () => {
  assert.deepEqual(paths(await unpack([file('d/.wh.sub'), file('.wh.f'), file('.wh.l')])), without('d/sub', 'f', 'l'));
  for (const parts of [
    [file('.wh.d'), dir('d'), file('d/new')],
    [dir('d'), file('d/new'), file('.wh.d')],
    [dir('d'), file('.wh.d'), file('d/new')],
    [dir('d'), file('d/new'), file('d/.wh..wh..opq')],
    [dir('d'), file('d/.wh..wh..opq'), file('d/new')],
    [file('d/.wh..wh..opq'), dir('d'), file('d/new')],
    [dir('d'), file('d/.wh.one'), file('d/sub/.wh.three'), file('d/.wh..wh..opq'), file('d/new')],
  ]) {
    assert.deepEqual(paths(await unpack(parts)), ['d', 'd/new', ...without('d')]);
  }
  // The directory of the first whiteout is there for it only.
  assert.deepEqual(paths(await unpack([file('d/sub/deeper/.wh.four'), file('d/.wh.sub')])), without('d/sub'));
  const implicit = await unpack([file('.wh.d'), file('d/new')]);
  assert.deepEqual(paths(implicit), ['d', 'd/new', ...without('d')]);
  assert.match(implicit.d as string, /mode=755 owner=0:0/);
});

test('opaque keeps what the layer itself has, deep down', async () => {
  for (const parts of [
    [file('d/sub/deeper/own'), file('d/.wh..wh..opq')],
    [dir('d/sub'), file('d/sub/deeper/own'), file('d/.wh..wh..opq')],
    [file('d/sub/.wh..wh..opq'), file('d/sub/deeper/own'), file('d/.wh..wh..opq')],
  ]) {
    assert.deepEqual(paths(await unpack(parts)), ['d', 'd/sub', 'd/sub/deeper', 'd/sub/deeper/own', ...without('d')]);
  }
});

test('an opaque root hides everything below', async () => {
  const expected = ['d', 'd/own', 'new'];
  for (const parts of [
    [file('.wh..wh..opq'), dir('d'), file('d/own'), file('new')],
    [dir('d'), file('d/own'), file('new'), file('.wh..wh..opq')],
  ]) {
    assert.deepEqual(paths(await unpack(parts)), expected);
    assert.deepEqual(paths(await unpack([file('more')], parts)), expected);
  }
});

test('three layers: hidden, brought back, hidden again', async () => {
  const back = [dir('d'), file('d/back')];
  assert.deepEqual(paths(await unpack([file('.wh.d')], back)), ['d', 'd/back', ...without('d')]);
  assert.deepEqual(paths(await unpack([file('.wh.d')], back, [file('d/.wh.back')])), ['d', ...without('d')]);
  assert.deepEqual(paths(await unpack([file('.wh.d')], [file('.wh.d'), file('d/.wh.one')])), without('d'));
  assert.deepEqual(paths(await unpack([dir('d'), file('d/.wh..wh..opq')], [file('d/sub/x')])), [
    'd',
    'd/sub',
    'd/sub/x',
    ...without('d'),
  ]);
});

test('entries replace others of any type', async () => {
  assert.match((await unpack([file('d')])).d as string, /^file/);
  assert.deepEqual(paths(await unpack([dir('f'), file('f/x')])), [...BASE, 'f/x'].sort());
  assert.deepEqual(paths(await unpack([file('d'), dir('d'), file('d/x')])), ['d', 'd/x', ...without('d')]);
  assert.deepEqual(paths(await unpack([link('d', 'f')], [dir('d'), file('d/x')])), ['d', 'd/x', ...without('d')]);
  assert.match((await unpack([file('f'), link('f', 'other'), file('f', 'last')])).f as string, /^file .*size=4/);
  assert.deepEqual(paths(await unpack([link('l', 'x'), dir('l'), file('l/y')])), [...BASE, 'l/y'].sort());
});

test('links of lower layers are followed inside the root', async () => {
  const tree = await unpack([file('l/through'), file('l/.wh.three'), file('l/deeper/.wh..wh..opq')]);
  assert.deepEqual(paths(tree), [...without('d/sub/three', 'd/sub/deeper/four'), 'd/sub/through'].sort());
});

test('hard links: to this layer, to lower ones, to links', async () => {
  const tree = await unpack([file('a'), hard('b', './a'), hard('/d/c', '/a'), hard('ll', 'l')]);
  assert.match(tree.b as string, /nlink=3 same as a/);
  assert.match(tree['d/c'] as string, /same as a/);
  assert.match(tree.ll as string, /^symlink d\/sub .*same as l/);
  const lower = await unpack([hard('g', 'l/deeper/four')]);
  assert.match(lower.g as string, /nlink=2 same as d\/sub\/deeper\/four/);
});

test('the caller keeps all files, without the rights of others', async () => {
  const root = mkdtempSync(join(tmpdir(), 'caisson-owner-'));
  try {
    const bytes = smithArchive(
      smithEntry({ path: 'x', mode: 0o6755, uid: 5, gid: 6 }, 'x'),
      smithHeader({ path: 'd', type: '5', uid: 7, mode: 0o1777 }),
    );
    await applyLayer(inChunks(bytes), { path: root, whiteouts: 'apply', lowerPaths: [] }, { ownership: 'caller' });
    const tree = snapshotTree(root);
    assert.match(tree.x as string, /mode=755 owner=0:0/);
    assert.match(tree.d as string, /mode=1777 owner=0:0/);
  } finally {
    rmSync(root, { recursive: true });
  }
});
