import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { EngineError } from '#src/errors/index.js';
import { mount, umount } from '#src/os/syscalls/index.js';
import { measureDirectory } from '#src/volumes/local/index.js';
import { removeFrom } from '#src/volumes/local/remove-from.js';
import { requireBinary, requireRoot } from '#support/require.js';
import { LocalBed, reason } from './volumes-local-bed.js';
import { withRacer } from './volumes-local-racer.js';

/** A host tree that nobody may change, read for measuring or remove. */
function victim(bed: LocalBed): { dir: string; unchanged: () => void } {
  const dir = bed.make('victim');
  mkdirSync(join(dir, 'sub'));
  for (const name of ['precious', 'sub/precious']) writeFileSync(join(dir, name), 'x'.repeat(100_000));
  const look = () => spawnSync('find', ['.', '-printf', '%p %m %s %T@ %C@\\n'], { cwd: dir, encoding: 'utf8' }).stdout;
  const before = look();
  return { dir, unchanged: () => assert.equal(look(), before) };
}

describe('removing a local volume', { skip: process.geteuid?.() !== 0 && 'missing: root' }, () => {
  it('takes all that a container can leave and follows no link', async (t) => {
    const bed = new LocalBed(t);
    const { dir, unchanged } = victim(bed);
    await using driver = await bed.open();
    await driver.create({ name: 'full', options: {} });
    const data = bed.data('full');
    symlinkSync(dir, join(data, 'link'));
    symlinkSync(join(dir, 'precious'), join(data, 'file-link'));
    writeFileSync(Buffer.concat([Buffer.from(`${data}/`), Buffer.from([0xff, 0xfe])]), '');
    for (let n = 0; n < 500; n++) writeFileSync(join(data, `file-${n}`), '');
    let deep = data;
    for (let n = 0; n < 200; n++) mkdirSync((deep = join(deep, 'd')));
    symlinkSync(dir, join(deep, 'link'));
    const chattr = requireBinary(t, 'chattr');
    if (chattr !== undefined) {
      mkdirSync(join(data, 'fixed'));
      writeFileSync(join(data, 'fixed', 'file'), '');
      spawnSync(chattr, ['+i', join(data, 'fixed', 'file'), join(data, 'fixed'), data]);
      assert.throws(() => writeFileSync(join(data, 'new'), ''));
    }
    await driver.remove('full');
    assert.equal(existsSync(join(bed.dir, 'full')), false);
    assert.deepEqual(readdirSync(join(bed.dir, '.trash')), []);
    unchanged();
  });

  it('removes a link in the place of its data, not what it leads to', async (t) => {
    const bed = new LocalBed(t);
    const { dir, unchanged } = victim(bed);
    await using driver = await bed.open();
    await driver.create({ name: 'link', options: {} });
    rmSync(bed.data('link'), { recursive: true });
    symlinkSync(dir, bed.data('link'));
    await driver.remove('link');
    assert.equal(await driver.get('link'), undefined);
    unchanged();
  });

  it('is refused while the host has something mounted in it', async (t) => {
    const bed = new LocalBed(t);
    const { dir, unchanged } = victim(bed);
    await using driver = await bed.open();
    await driver.create({ name: 'host', options: {} });
    const inner = join(bed.data('host'), 'inner');
    mkdirSync(inner);
    writeFileSync(join(bed.data('host'), 'file'), 'stays');
    for (const at of [inner, bed.data('host'), join(bed.data('host'), 'file')]) {
      const isFile = lstatSync(at).isFile();
      mount(isFile ? join(dir, 'precious') : dir, at, null, 4096, null);
      await assert.rejects(driver.remove('host'), (error) => {
        assert.ok(EngineError.is(error, 'CONFLICT', 'LOCAL_VOLUME_HAS_MOUNTS'), String(error));
        assert.deepEqual(error.details['mounts'], [at]);
        return true;
      });
      await driver.mount({ name: 'host', id: 'someone' });
      await driver.unmount({ name: 'host', id: 'someone' });
      assert.equal(bed.mountsAt(at).length, 1, 'unmount leaves what the host mounted');
      umount(at);
    }
    unchanged();
    assert.ok(existsSync(join(bed.data('host'), 'file')));
    await driver.remove('host');
  });

  it('enters no mount that comes while it deletes', async (t) => {
    const bed = new LocalBed(t);
    const { dir, unchanged } = victim(bed);
    const tree = bed.make('trash', 'piece', 'inner');
    mount(dir, tree, null, 4096, null);
    await assert.rejects(removeFrom(join(bed.root, 'trash'), 'piece'), (error) => {
      assert.ok(EngineError.is(error));
      assert.equal(error.details['errno'], 'EXDEV');
      return true;
    });
    umount(tree);
    unchanged();
    await removeFrom(join(bed.root, 'trash'), 'piece');
    assert.deepEqual(readdirSync(join(bed.root, 'trash')), []);
  });

  it('never leaves the volume though directories and links are exchanged meanwhile', async (t) => {
    const bed = new LocalBed(t);
    const { dir, unchanged } = victim(bed);
    const piece = bed.make('trash', 'piece');
    const fill = () => {
      mkdirSync(piece, { recursive: true });
      for (const name of ['a', 'b', 'c']) {
        mkdirSync(join(piece, name, 'sub'), { recursive: true });
        for (const file of ['precious', 'sub/precious', 'x', 'y']) writeFileSync(join(piece, name, file), '');
        symlinkSync(dir, join(piece, `${name}-evil`));
      }
    };
    const pairs: [string, string][] = ['a', 'b', 'c'].map((name) => [`${name}`, `${name}-evil`]);
    const endsAt = Date.now() + 3_000;
    let rounds = 0;
    while (Date.now() < endsAt && rounds < 300) {
      fill();
      await withRacer(t, piece, pairs, () => removeFrom(join(bed.root, 'trash'), 'piece'));
      assert.equal(existsSync(piece), false);
      rounds++;
    }
    assert.ok(rounds > 5, `${rounds} rounds`);
    unchanged();
  });

  it('leaves nothing when it was cut off: the next open goes on', async (t) => {
    const bed = new LocalBed(t);
    const first = await bed.open();
    await first.create({ name: 'big', options: {} });
    for (let n = 0; n < 3000; n++) writeFileSync(join(bed.data('big'), `file-${n}`), '');
    const controller = new AbortController();
    const removal = first.remove('big', { signal: controller.signal });
    setImmediate(() => controller.abort());
    await assert.rejects(removal, reason('CANCELED'));
    assert.equal(await first.get('big'), undefined);
    assert.equal(readdirSync(join(bed.dir, '.trash')).length, 1);
    await first.remove('big');
    await first.close();
    bed.make('volumes', '.staging', '1.2.00000000-0000-0000-0000-000000000000.abc', '_data', 'x');
    await using second = await bed.open();
    await second.swept;
    assert.deepEqual(readdirSync(join(bed.dir, '.trash')), []);
    assert.deepEqual(readdirSync(join(bed.dir, '.staging')), []);
  });
});

describe('measuring a directory', () => {
  it('counts blocks and lengths, hard links once, and agrees with du', async (t) => {
    const bed = new LocalBed(t);
    const dir = bed.make('tree');
    writeFileSync(join(dir, 'file'), 'x'.repeat(10_000));
    linkSync(join(dir, 'file'), join(dir, 'again'));
    mkdirSync(join(dir, 'sub'));
    writeFileSync(join(dir, 'sub', 'hole'), '');
    truncateSync(join(dir, 'sub', 'hole'), 50_000_000);
    symlinkSync('/usr', join(dir, 'link'));
    for (let n = 0; n < 100; n++) writeFileSync(join(dir, 'sub', `f${n}`), 'y');
    const du = (...args: string[]) =>
      Number.parseInt(spawnSync('du', ['-s', ...args, dir], { encoding: 'utf8' }).stdout, 10);
    const size = await measureDirectory(dir);
    assert.equal(size.bytes, du('-B512') * 512);
    assert.equal(size.apparentBytes, du('--apparent-size', '-B1'));
    assert.equal(size.inodes, 105);
  });

  it('reaches below what one path can name', async (t) => {
    const bed = new LocalBed(t);
    const names = Array.from({ length: 60 }, () => 'd'.repeat(100));
    // Made from below, since no path reaches the end.
    const dir = bed.make('tree');
    for (const name of names) {
      const other = bed.make('other', name);
      renameSync(dir, join(other, 'inner'));
      renameSync(join(bed.root, 'other', name), dir);
      rmSync(join(bed.root, 'other'), { recursive: true });
    }
    assert.equal((await measureDirectory(dir)).inodes, 61);
    await removeFrom(bed.root, 'tree');
    assert.equal(existsSync(dir), false);
  });

  it('leaves other mounts out', async (t) => {
    if (!requireRoot(t)) return;
    const bed = new LocalBed(t);
    const dir = bed.make('tree', 'inner');
    mount('caisson-test', dir, 'tmpfs', 0, 'size=1m');
    writeFileSync(join(dir, 'file'), 'x'.repeat(100_000));
    assert.equal((await measureDirectory(join(bed.root, 'tree'))).inodes, 1);
    assert.equal((await measureDirectory(dir)).inodes, 2);
    umount(dir);
    // A file that is bound over another is of the same file system, and not of this tree.
    writeFileSync(join(dir, 'covered'), 'x'.repeat(10_000));
    const other = join(bed.make('other'), 'file');
    writeFileSync(other, 'x'.repeat(500_000));
    mount(other, join(dir, 'covered'), null, 4096, null);
    const size = await measureDirectory(join(bed.root, 'tree'));
    assert.equal(size.inodes, 2);
    assert.ok(size.apparentBytes < 100_000);
    umount(join(dir, 'covered'));
    assert.equal((await measureDirectory(join(bed.root, 'tree'))).inodes, 3);
  });

  it('tells how far it is, gives way and can be ended', async (t) => {
    const bed = new LocalBed(t);
    const dir = bed.make('tree');
    for (let n = 0; n < 5000; n++) writeFileSync(join(dir, `f${n}`), '');
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    const reports: number[] = [];
    const size = await measureDirectory(dir, { onProgress: ({ inodes }) => reports.push(inodes) });
    clearInterval(timer);
    assert.equal(size.inodes, 5001);
    assert.equal(reports.at(-1), 5001);
    assert.ok(turns > 3, `${turns} turns of the event loop`);
    const controller = new AbortController();
    const ended = measureDirectory(dir, { signal: controller.signal });
    setImmediate(() => controller.abort());
    await assert.rejects(ended, reason('CANCELED'));
    await assert.rejects(measureDirectory(join(dir, 'none')), reason('SOURCE_NOT_FOUND'));
    symlinkSync(dir, join(bed.root, 'link'));
    await assert.rejects(measureDirectory(join(bed.root, 'link')), reason('SOURCE_NOT_FOUND'));
  });

  it('never leaves the directory though names are exchanged meanwhile', async (t) => {
    const bed = new LocalBed(t);
    const { dir } = victim(bed);
    const tree = bed.make('tree');
    for (const name of ['a', 'b']) {
      mkdirSync(join(tree, name, 'sub'), { recursive: true });
      writeFileSync(join(tree, name, 'precious'), '');
      writeFileSync(join(tree, name, 'sub', 'precious'), '');
      symlinkSync(dir, join(tree, `${name}-evil`));
    }
    const seen = new Set<boolean>();
    await withRacer(
      t,
      tree,
      [
        ['a', 'a-evil'],
        ['b', 'b-evil'],
      ],
      async () => {
        const endsAt = Date.now() + 2_000;
        while (Date.now() < endsAt) seen.add((await measureDirectory(tree)).apparentBytes < 100_000);
      },
    );
    assert.deepEqual([...seen], [true]);
  });

  it('leaves no descriptor open', async (t) => {
    const bed = new LocalBed(t);
    const dir = bed.make('tree', 'a', 'b');
    const open = () => readdirSync('/proc/self/fd').length;
    const before = open();
    for (let n = 0; n < 20; n++) await measureDirectory(dir);
    bed.make('gone', 'a', 'b');
    await removeFrom(bed.root, 'gone');
    assert.equal(open(), before);
    closeSync(openSync(dir, 'r'));
  });
});
