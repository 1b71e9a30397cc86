import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  createReadStream,
  linkSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { applyLayer, tarFromDirectory } from '#src/archive/index.js';
import { findExecutable } from '#src/os/index.js';
import { lsetxattr, mkfifo, mknod, mount, umount, utimensat } from '#src/os/syscalls/index.js';
import { smithArchive, smithEntry, smithHeader } from '#support/tarsmith.js';
import { snapshotTree, type TreeSnapshot } from '#support/tree.js';

const umoci = findExecutable('umoci');
const sh = (file: string, ...args: string[]) => execFileSync(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });

/** A tree with everything that a layer can have. */
function makeTree(root: string): void {
  mkdirSync(join(root, 'bin'), { recursive: true });
  mkdirSync(join(root, 'etc/deep/er'), { recursive: true });
  mkdirSync(join(root, 'dev'));
  mkdirSync(join(root, 'tmp'));
  writeFileSync(join(root, 'bin/su'), 'setuid');
  writeFileSync(join(root, 'bin/ping'), 'capable');
  writeFileSync(join(root, 'etc/big'), Buffer.alloc(3_000_000, 'big'));
  writeFileSync(join(root, 'etc/empty'), '');
  writeFileSync(join(root, Buffer.from('etc/höhe ü').toString()), 'utf-8');
  writeFileSync(Buffer.from(`${root}/etc/bytes-\xff\xfe`, 'latin1'), 'no utf-8');
  writeFileSync(join(root, 'etc', 'n'.repeat(120)), 'long');
  writeFileSync(join(root, 'etc/deep/er/file'), 'deep');
  linkSync(join(root, 'etc/deep/er/file'), join(root, 'etc/hard'));
  symlinkSync('../etc/big', join(root, 'bin/link'));
  symlinkSync('/nowhere/at/all', join(root, 'etc/dangling'));
  symlinkSync('etc', join(root, 'conf'));
  mknod(join(root, 'dev/null'), 0o020000, 1, 3);
  mknod(join(root, 'dev/sda'), 0o060000, 8, 0);
  mkfifo(join(root, 'dev/fifo'), 0o600);
  sh('truncate', '-s', '5M', join(root, 'etc/sparse'));
  sh('sh', '-c', `printf data | dd of=${join(root, 'etc/sparse')} bs=1 seek=2000000 conv=notrunc status=none`);
  sh('chown', '1234:5678', join(root, 'etc/empty'));
  sh('chown', '-h', '77:88', join(root, 'bin/link'));
  sh('chown', '3000000:3000000', join(root, 'etc/deep'));
  sh('chmod', '4755', join(root, 'bin/su'));
  sh('chmod', '1777', join(root, 'tmp'));
  sh('chmod', '2750', join(root, 'etc/deep'));
  sh('chmod', '000', join(root, 'etc/hard'));
  // A v2 file capability: cap_net_raw=ep.
  lsetxattr(
    join(root, 'bin/ping'),
    'security.capability',
    Buffer.from('0100000200200000000000000000000000000000', 'hex'),
  );
  lsetxattr(join(root, 'etc/big'), 'user.note', Buffer.from('a\0b=c\n'));
  lsetxattr(join(root, 'etc/deep'), 'user.dir', Buffer.from('x'));
  utimesSync(join(root, 'etc/big'), 1_500_000_000, 1_500_000_000);
  lutimesSync(join(root, 'bin/link'), 1_400_000_000, 1_400_000_000);
  utimensat(join(root, 'etc/empty'), 0n, 1_600_000_000_123_456_789n);
  utimensat(join(root, 'bin'), 0n, 1_300_000_000_000_000_001n);
}

const whiteout = (path: string) => smithEntry({ path });

/** The second layer: changes, deletions and entries over each other. `etc` and `usr/lib` have no entry of their own. */
function secondLayer(): Buffer {
  return smithArchive(
    smithEntry({ path: 'etc/new', mtime: 1_650_000_000 }, 'new'),
    whiteout('etc/.wh.dangling'),
    whiteout('etc/.wh.missing'),
    whiteout('bin/.wh.ping'),
    // A new directory that hides the lower one, announced after what is in it.
    smithHeader({ path: 'etc/deep/', type: '5', mode: 0o700, mtime: 1_660_000_000 }),
    smithEntry({ path: 'etc/deep/mine' }, 'mine'),
    whiteout('etc/deep/.wh..wh..opq'),
    // A file becomes a directory, a directory a file.
    smithHeader({ path: 'etc/empty/', type: '5', mtime: 1_661_000_000 }),
    smithEntry({ path: 'etc/empty/inside' }, 'inside'),
    smithEntry({ path: 'tmp', mtime: 1_662_000_000 }, 'now a file'),
    // A hard link to a file of the lower layer.
    smithHeader({ path: 'bin/su2', type: '1', linkPath: 'bin/su' }),
    // Through a link of the lower layer.
    smithEntry({ path: 'conf/through' }, 'through'),
    // Deleted and made anew in one layer.
    whiteout('.wh.dev'),
    smithHeader({ path: 'dev/', type: '5', mtime: 1_663_000_000 }),
    smithHeader({ path: 'dev/zero', type: '3', devMajor: 1, devMinor: 5, mode: 0o666 }),
  );
}

test('layers unpack as with umoci, and both whiteout modes show the same tree', {
  skip: umoci === undefined ? 'missing: umoci' : false,
}, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'caisson-umoci-'));
  let mounted = false;
  try {
    const tree = join(dir, 'tree');
    mkdirSync(tree);
    makeTree(tree);
    const layers = [join(dir, '1.tar'), join(dir, '2.tar')] as const;
    sh(
      'tar',
      '--format=posix',
      '--xattrs',
      '--xattrs-include=*',
      '--numeric-owner',
      '--sparse',
      '-cf',
      layers[0],
      '-C',
      tree,
      '.',
    );
    writeFileSync(layers[1], secondLayer());

    const image = join(dir, 'image');
    sh('umoci', 'init', '--layout', image);
    sh('umoci', 'new', '--image', `${image}:t`);
    for (const layer of layers) sh('umoci', 'raw', 'add-layer', '--image', `${image}:t`, layer);
    sh('umoci', 'raw', 'unpack', '--image', `${image}:t`, join(dir, 'umoci'));

    const full = join(dir, 'full');
    const uppers = [join(dir, 'upper1'), join(dir, 'upper2')] as const;
    for (const path of [full, ...uppers, join(dir, 'merged')]) mkdirSync(path);
    await applyLayer(createReadStream(layers[0]), { path: full, whiteouts: 'apply', lowerPaths: [] });
    assert.deepEqual(snapshotTree(full), snapshotTree(tree), 'the first layer is the tree it was made of');
    assert.ok(statSync(join(full, 'etc/sparse')).blocks < 1000, 'the sparse file has its holes');

    await applyLayer(createReadStream(layers[1]), { path: full, whiteouts: 'apply', lowerPaths: [] });
    await applyLayer(createReadStream(layers[0]), { path: uppers[0], whiteouts: 'overlay', lowerPaths: [] });
    await applyLayer(createReadStream(layers[1]), { path: uppers[1], whiteouts: 'overlay', lowerPaths: [uppers[0]] });
    mount('overlay', join(dir, 'merged'), 'overlay', 0, `lowerdir=${uppers[1]}:${uppers[0]}`);
    mounted = true;
    const ours = snapshotTree(full);
    // The lower name of a copied-up hard link is another inode in an overlay; numbers of links differ for that reason only.
    const merged = snapshotTree(join(dir, 'merged'));
    assert.deepEqual(withoutLinkCounts(merged), withoutLinkCounts(ours), 'overlay and plain tree differ');
    assert.deepEqual(ours, snapshotTree(join(dir, 'umoci')), 'umoci unpacks another tree');
  } finally {
    if (mounted) umount(join(dir, 'merged'), 0);
    rmSync(dir, { recursive: true });
  }
});

function withoutLinkCounts(tree: TreeSnapshot): TreeSnapshot {
  return Object.fromEntries(Object.entries(tree).map(([path, text]) => [path, text.replace(/nlink=\d+ /, '')]));
}

test('a tree that we write as tar is read by GNU tar and by us as it was', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'caisson-tree-'));
  try {
    const tree = join(dir, 'tree');
    for (const path of [tree, join(dir, 'gnu'), join(dir, 'ours')]) mkdirSync(path);
    makeTree(tree);
    const chunks: Uint8Array[] = [];
    for await (const chunk of tarFromDirectory(tree)) chunks.push(chunk);
    const again: Uint8Array[] = [];
    for await (const chunk of tarFromDirectory(tree)) again.push(chunk);
    const bytes = Buffer.concat(chunks);
    assert.ok(bytes.equals(Buffer.concat(again)), 'the same tree gives the same bytes');
    writeFileSync(join(dir, 'a.tar'), bytes);
    sh(
      'tar',
      '--xattrs',
      '--xattrs-include=*',
      '--numeric-owner',
      '--same-owner',
      '-xpf',
      join(dir, 'a.tar'),
      '-C',
      join(dir, 'gnu'),
    );
    await applyLayer(createReadStream(join(dir, 'a.tar')), {
      path: join(dir, 'ours'),
      whiteouts: 'apply',
      lowerPaths: [],
    });
    const expected = snapshotTree(tree);
    assert.deepEqual(snapshotTree(join(dir, 'ours')), expected);
    assert.deepEqual(snapshotTree(join(dir, 'gnu')), expected);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

for (const format of ['v7', 'oldgnu', 'gnu', 'ustar', 'posix']) {
  test(`what GNU tar writes as ${format} we unpack as GNU tar does`, async () => {
    const dir = mkdtempSync(join(tmpdir(), 'caisson-gnu-'));
    try {
      const tree = join(dir, 'tree');
      for (const path of [tree, join(dir, 'gnu'), join(dir, 'ours')]) mkdirSync(path);
      makeTree(tree);
      if (format === 'v7' || format === 'ustar') {
        rmSync(join(tree, 'etc/deep'), { recursive: true });
        rmSync(join(tree, 'etc', 'n'.repeat(120)));
        if (format === 'v7') rmSync(join(tree, 'dev'), { recursive: true });
      }
      const sparse = format === 'v7' || format === 'ustar' ? [] : ['--sparse'];
      sh('tar', `--format=${format}`, ...sparse, '--numeric-owner', '-cf', join(dir, 'a.tar'), '-C', tree, '.');
      sh('tar', '--numeric-owner', '-xpf', join(dir, 'a.tar'), '-C', join(dir, 'gnu'));
      await applyLayer(createReadStream(join(dir, 'a.tar')), {
        path: join(dir, 'ours'),
        whiteouts: 'apply',
        lowerPaths: [],
      });
      assert.deepEqual(snapshotTree(join(dir, 'ours')), snapshotTree(join(dir, 'gnu')));
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
}
