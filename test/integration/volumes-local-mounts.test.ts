import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { EngineError } from '#src/errors/index.js';
import { bootId } from '#src/os/index.js';
import { MS, mount, umount } from '#src/os/syscalls/index.js';
import { requireBinary, requireRoot } from '#support/require.js';
import { LocalBed, reason } from './volumes-local-bed.js';

const id = (n: number) => `${n}`.padStart(64, '0');

describe('a plain local volume', () => {
  it('is a directory that every process and every open sees', async (t) => {
    const bed = new LocalBed(t);
    const old = process.umask(0o077);
    await using driver = await bed.open();
    await driver.create({ name: 'plain', options: {} });
    process.umask(old);
    assert.equal(statSync(bed.data('plain')).mode & 0o7777, 0o755);
    assert.equal(statSync(join(bed.dir, 'plain')).mode & 0o7777, 0o700);
    assert.equal(statSync(bed.dir).mode & 0o7777, 0o700);
    assert.deepEqual(readdirSync(join(bed.dir, 'plain')), ['_data']);
    assert.deepEqual(await driver.mount({ name: 'plain', id: id(1) }), { mountpoint: bed.data('plain') });
    writeFileSync(join(bed.data('plain'), 'file'), 'kept');
    await driver.unmount({ name: 'plain', id: id(1) });
    await using second = await bed.open();
    await second.create({ name: 'plain', options: {} });
    const found = await second.get('plain');
    assert.equal(found?.mountpoint, bed.data('plain'));
    assert.ok(Math.abs(Date.now() - (found?.createdAt?.getTime() ?? 0)) < 60_000);
    assert.deepEqual(
      (await second.list()).map((one) => one.name),
      ['plain'],
    );
    assert.equal(readFileSync(join(bed.data('plain'), 'file'), 'utf8'), 'kept');
    await second.remove('plain');
    await second.remove('plain');
    assert.equal(await driver.get('plain'), undefined);
    assert.deepEqual(readdirSync(bed.dir).sort(), ['.staging', '.trash']);
    assert.deepEqual(readdirSync(join(bed.dir, '.trash')), []);
  });

  it('is not mounted where a link, a file or nothing has its place', async (t) => {
    const bed = new LocalBed(t);
    await using driver = await bed.open();
    await assert.rejects(driver.mount({ name: 'none', id: id(1) }), reason('LOCAL_VOLUME_NOT_FOUND'));
    await driver.unmount({ name: 'none', id: id(1) });
    await driver.create({ name: 'link', options: {} });
    rmSync(bed.data('link'), { recursive: true });
    symlinkSync('/etc', bed.data('link'));
    await assert.rejects(driver.mount({ name: 'link', id: id(1) }), reason('LOCAL_VOLUME_UNSAFE'));
    symlinkSync('/etc', join(bed.dir, 'outside'));
    writeFileSync(join(bed.dir, 'file'), '');
    for (const name of ['outside', 'file']) {
      await assert.rejects(driver.get(name), reason('LOCAL_VOLUME_UNSAFE'));
      await assert.rejects(driver.remove(name), reason('LOCAL_VOLUME_UNSAFE'));
      await assert.rejects(driver.create({ name, options: {} }), reason('LOCAL_VOLUME_UNSAFE'));
    }
    assert.deepEqual(
      (await driver.list()).map((one) => one.name),
      ['link'],
    );
  });

  it('that was there before is adopted; an empty directory is none', async (t) => {
    const bed = new LocalBed(t);
    await using driver = await bed.open();
    bed.make('volumes', 'found', '_data');
    bed.make('volumes', 'empty');
    bed.make('volumes', 'x', '_data');
    bed.make('volumes', 'lost+found', '_data');
    assert.equal((await driver.get('found'))?.mountpoint, bed.data('found'));
    assert.equal(await driver.get('empty'), undefined);
    assert.deepEqual(
      (await driver.list()).map((one) => one.name),
      ['found'],
    );
    await driver.create({ name: 'empty', options: {} });
    assert.ok(existsSync(bed.data('empty')));
  });
});

describe('a local volume with options', { skip: process.geteuid?.() !== 0 && 'missing: root' }, () => {
  it('is mounted once for all its holders, and unmounted with the last', async (t) => {
    const bed = new LocalBed(t);
    await using one = await bed.open();
    await using two = await bed.open();
    const options = { type: 'tmpfs', device: 'tmpfs', o: 'size=64k,mode=0751,nosuid' };
    await one.create({ name: 'mem', options });
    assert.equal(statSync(join(bed.dir, 'mem', 'opts.json')).mode & 0o7777, 0o600);
    const mounted = await Promise.all([1, 2, 3, 4].map((n) => (n % 2 ? one : two).mount({ name: 'mem', id: id(n) })));
    for (const { mountpoint } of mounted) assert.equal(mountpoint, bed.data('mem'));
    const [info, ...more] = bed.mountsAt(bed.data('mem'));
    assert.deepEqual(more, []);
    assert.equal(info?.fsType, 'tmpfs');
    assert.ok(info.options.includes('nosuid'));
    assert.equal(statSync(bed.data('mem')).mode & 0o7777, 0o751);
    await one.mount({ name: 'mem', id: id(1) });
    for (let again = 0; again < 5; again++) await two.unmount({ name: 'mem', id: id(1) });
    await two.unmount({ name: 'mem', id: 'stranger' });
    for (const n of [2, 3]) await one.unmount({ name: 'mem', id: id(n) });
    assert.equal(bed.mountsAt(bed.data('mem')).length, 1);
    await assert.rejects(one.remove('mem'), (error) => {
      assert.ok(EngineError.is(error, 'CONFLICT', 'LOCAL_VOLUME_IN_USE'));
      assert.deepEqual(error.details['holders'], [id(4)]);
      return true;
    });
    assert.deepEqual((await two.get('mem'))?.status, { ...options, mounted: true });
    await two.unmount({ name: 'mem', id: id(4) });
    assert.deepEqual(bed.mountsAt(bed.data('mem')), []);
    await two.remove('mem');
    assert.equal(await one.get('mem'), undefined);
  });

  it('keeps its options; creating it again with others is refused', async (t) => {
    const bed = new LocalBed(t);
    await using driver = await bed.open();
    const options = { type: 'tmpfs', device: 'tmpfs', o: 'size=64k' };
    await driver.create({ name: 'mem', options });
    await driver.create({ name: 'mem', options });
    await assert.rejects(driver.create({ name: 'mem', options: { ...options, o: 'size=65k' } }), (error) => {
      assert.ok(EngineError.is(error, 'CONFLICT', 'LOCAL_VOLUME_EXISTS'));
      assert.deepEqual(error.details['keys'], ['o']);
      return true;
    });
    await assert.rejects(driver.create({ name: 'mem', options: {} }), reason('LOCAL_VOLUME_EXISTS'));
  });

  it('binds a directory with the flags of its mount, and never deletes what is in it', async (t) => {
    const bed = new LocalBed(t);
    await using driver = await bed.open();
    const source = bed.make('source');
    mount('caisson-test', source, 'tmpfs', MS.NODEV | MS.NOEXEC, 'size=64k');
    writeFileSync(join(source, 'precious'), 'here');
    await driver.create({ name: 'bound', options: { type: 'none', device: source, o: 'bind,ro,nosuid,rprivate' } });
    await driver.mount({ name: 'bound', id: id(1) });
    assert.throws(() => writeFileSync(join(bed.data('bound'), 'no'), ''), /EROFS/);
    const [info] = bed.mountsAt(bed.data('bound'));
    for (const word of ['ro', 'nosuid', 'nodev', 'noexec']) assert.ok(info?.options.includes(word), word);
    writeFileSync(join(source, 'more'), 'the source is as it was');
    await driver.unmount({ name: 'bound', id: id(1) });
    await driver.mount({ name: 'bound', id: id(2) });
    rmSync(join(bed.runDir, bootId(), 'holders'), { recursive: true });
    await driver.remove('bound');
    assert.deepEqual(readdirSync(source).sort(), ['more', 'precious']);
    assert.deepEqual(bed.mountsAt(bed.data('bound')), []);
    umount(source);
  });

  it('that binds a shared tree recursively leaves the inner mounts of the host alone', async (t) => {
    const bed = new LocalBed(t);
    await using driver = await bed.open();
    const source = bed.make('source');
    mount('caisson-test', source, 'tmpfs', 0, 'size=64k');
    mount('none', source, null, MS.SHARED, null);
    const inner = bed.make('source', 'inner');
    mount('caisson-test', inner, 'tmpfs', 0, 'size=64k');
    await driver.create({ name: 'tree', options: { type: 'none', device: source, o: 'rbind' } });
    await driver.mount({ name: 'tree', id: id(1) });
    assert.equal(bed.mountsAt(join(bed.data('tree'), 'inner')).length, 1);
    await driver.unmount({ name: 'tree', id: id(1) });
    assert.deepEqual(bed.mountsAt(join(bed.data('tree'), 'inner')), []);
    assert.deepEqual(bed.mountsAt(bed.data('tree')), []);
    assert.equal(bed.mountsAt(inner).length, 1);
    umount(inner);
    umount(source);
  });

  it('is an overlay or the file system of a device', async (t) => {
    if (requireBinary(t, 'mkfs.ext4') === undefined || requireBinary(t, 'losetup') === undefined) return;
    const bed = new LocalBed(t);
    await using driver = await bed.open();
    const [lower, upper, work] = ['lower', 'upper', 'work'].map((name) => bed.make(name)) as [string, string, string];
    writeFileSync(join(lower, 'below'), '');
    const o = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
    await driver.create({ name: 'over', options: { type: 'overlay', device: 'overlay', o } });
    await driver.mount({ name: 'over', id: id(1) });
    writeFileSync(join(bed.data('over'), 'above'), '');
    assert.deepEqual(readdirSync(bed.data('over')).sort(), ['above', 'below']);
    assert.deepEqual(readdirSync(upper), ['above']);
    await driver.unmount({ name: 'over', id: id(1) });

    const device = bed.loopDevice('mkfs.ext4', '8M');
    await driver.create({ name: 'disk', options: { type: 'ext4', device, o: 'noatime,nosuid,errors=remount-ro' } });
    await driver.mount({ name: 'disk', id: id(1) });
    writeFileSync(join(bed.data('disk'), 'file'), 'on the device');
    await driver.unmount({ name: 'disk', id: id(1) });
    assert.deepEqual(readdirSync(bed.data('disk')), []);
    await driver.mount({ name: 'disk', id: id(2) });
    assert.equal(readFileSync(join(bed.data('disk'), 'file'), 'utf8'), 'on the device');
    await driver.unmount({ name: 'disk', id: id(2) });
    await driver.remove('disk');
    await driver.create({ name: 'disk', options: { type: 'ext4', device } });
    await driver.mount({ name: 'disk', id: id(3) });
    assert.equal(readFileSync(join(bed.data('disk'), 'file'), 'utf8'), 'on the device');
    await driver.unmount({ name: 'disk', id: id(3) });
  });

  it('that can not be mounted says why, without its password, and has no holder', async (t) => {
    const bed = new LocalBed(t);
    await using driver = await bed.open({
      resolveAddress: async (host) => {
        if (host === 'nowhere') throw new Error('no such host');
        return '192.0.2.1';
      },
    });
    const attempts: [name: string, options: Record<string, string>, errno: RegExp][] = [
      [
        'nofs',
        { type: 'nosuchfs', device: 'x', o: 'addr=1.2.3.4,password=hunter2' },
        /ENODEV .*no file system "nosuchfs"/,
      ],
      ['nodev', { type: 'ext4', device: '/dev/no-such-device' }, /ENOENT .*does not exist/],
      ['noblock', { type: 'ext4', device: '/etc/hostname' }, /ENOTBLK .*no block device/],
      ['nodir', { type: 'none', device: '/etc/hostname', o: 'bind' }, /ENOTDIR .*no directory/],
      ['badword', { type: 'tmpfs', device: 'tmpfs', o: 'password=hunter2' }, /EINVAL .*does not know/],
      ['cifsuser', { type: 'nosuchfs', device: '//me:hunter2@host/x', o: 'secret=hunter2' }, /ENODEV/],
    ];
    for (const [name, options, message] of attempts) {
      await driver.create({ name, options });
      await assert.rejects(driver.mount({ name, id: id(1) }), (error) => {
        assert.ok(EngineError.is(error, undefined, 'LOCAL_VOLUME_MOUNT_FAILED'), String(error));
        assert.match(error.message, message);
        assert.doesNotMatch(`${JSON.stringify(error)} ${error.stack} ${String(error.cause)}`, /hunter2/);
        return true;
      });
      assert.doesNotMatch(JSON.stringify((await driver.get(name))?.status), /hunter2/);
      assert.deepEqual(bed.mountsAt(bed.data(name)), []);
      await driver.remove(name);
    }
    await driver.create({ name: 'nfs', options: { type: 'nfs', device: ':/x', o: 'addr=nowhere' } });
    await assert.rejects(driver.mount({ name: 'nfs', id: id(1) }), reason('LOCAL_VOLUME_UNKNOWN_HOST'));
    await driver.remove('nfs');
  });

  it('is mounted again after a reboot, and not twice after a restart', async (t) => {
    const bed = new LocalBed(t);
    const first = await bed.open();
    await first.create({ name: 'mem', options: { type: 'tmpfs', device: 'tmpfs' } });
    await first.mount({ name: 'mem', id: id(1) });
    await first.close();
    await using second = await bed.open();
    await second.mount({ name: 'mem', id: id(2) });
    assert.equal(bed.mountsAt(bed.data('mem')).length, 1);
    // As a reboot: no mounts, and holders of a boot that is over.
    umount(bed.data('mem'));
    bed.make('run', '00000000-0000-0000-0000-000000000000', 'holders', 'mem');
    writeFileSync(join(bed.runDir, '00000000-0000-0000-0000-000000000000', 'holders', 'mem', id(9)), '');
    await using third = await bed.open();
    await third.mount({ name: 'mem', id: id(2) });
    assert.equal(bed.mountsAt(bed.data('mem')).length, 1);
    for (const n of [1, 2]) await third.unmount({ name: 'mem', id: id(n) });
    assert.deepEqual(bed.mountsAt(bed.data('mem')), []);
    await third.remove('mem');
  });

  it('that is in use when its last holder goes is detached', async (t) => {
    const bed = new LocalBed(t);
    await using driver = await bed.open();
    await driver.create({ name: 'busy', options: { type: 'tmpfs', device: 'tmpfs' } });
    const { mountpoint } = await driver.mount({ name: 'busy', id: id(1) });
    const cwd = process.cwd();
    process.chdir(mountpoint);
    try {
      await driver.unmount({ name: 'busy', id: id(1) });
      assert.deepEqual(bed.mountsAt(mountpoint), []);
    } finally {
      process.chdir(cwd);
    }
    await driver.remove('busy');
  });
});

describe('options that can not be read', () => {
  const plain = { type: 'tmpfs', device: 'tmpfs', o: 'size=64k' };

  it('never count as none; the others are not affected and the data stays', async (t) => {
    if (!requireRoot(t)) return;
    const bed = new LocalBed(t);
    const before = await bed.open();
    for (const name of ['torn', 'good', 'flip', 'docker']) await before.create({ name, options: plain });
    await before.close();
    writeFileSync(join(bed.data('torn'), 'below'), 'what lay there');
    const file = (name: string) => join(bed.dir, name, 'opts.json');
    writeFileSync(file('torn'), '');
    writeFileSync(file('flip'), readFileSync(file('flip'), 'utf8').replace('64k', '65k'));
    writeFileSync(file('docker'), JSON.stringify({ MountType: 'tmpfs', MountOpts: 'size=32k', MountDevice: 'tmpfs' }));
    await using driver = await bed.open();
    for (const name of ['torn', 'flip']) {
      for (let twice = 0; twice < 2; twice++) {
        await assert.rejects(driver.mount({ name, id: id(1) }), reason('LOCAL_VOLUME_DAMAGED'));
        await assert.rejects(driver.get(name), reason('LOCAL_VOLUME_DAMAGED'));
        await assert.rejects(driver.create({ name, options: plain }), reason('LOCAL_VOLUME_DAMAGED'));
      }
      assert.ok(readdirSync(join(bed.dir, name)).some((entry) => entry.startsWith('opts.json.corrupt-')));
    }
    assert.deepEqual((await driver.list()).map((one) => one.name).sort(), ['docker', 'flip', 'good', 'torn']);
    await driver.mount({ name: 'good', id: id(1) });
    await driver.unmount({ name: 'good', id: id(1) });
    assert.deepEqual((await driver.get('docker'))?.status, { ...plain, o: 'size=32k', mounted: false });
    assert.equal(readFileSync(join(bed.data('torn'), 'below'), 'utf8'), 'what lay there');
    await driver.remove('torn');
    assert.equal(await driver.get('torn'), undefined);
  });

  it('of a later version are left as they are', async (t) => {
    const bed = new LocalBed(t);
    await using driver = await bed.open();
    await driver.create({ name: 'later', options: plain });
    const path = join(bed.dir, 'later', 'opts.json');
    writeFileSync(path, readFileSync(path, 'utf8').replace('"schema":1', '"schema":2'));
    await assert.rejects(driver.mount({ name: 'later', id: id(1) }), reason('RECORD_UNKNOWN_FORMAT'));
    assert.ok(existsSync(path));
  });

  it('that are all empty are none, as in Docker', async (t) => {
    const bed = new LocalBed(t);
    await using driver = await bed.open();
    bed.make('volumes', 'old', '_data');
    writeFileSync(
      join(bed.dir, 'old', 'opts.json'),
      '{"MountType":"","MountOpts":"","MountDevice":"","Quota":{"Size":0}}',
    );
    assert.deepEqual(await driver.mount({ name: 'old', id: id(1) }), { mountpoint: bed.data('old') });
    assert.equal((await driver.get('old'))?.status, undefined);
  });
});
