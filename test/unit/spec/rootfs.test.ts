import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import {
  checkRootfs,
  collectMounts,
  type Mountpoint,
  prepareRootfs,
  resolveBindSources,
  withFileMountpoints,
} from '#src/spec/index.js';
import { throwsReason } from '#support/throws-reason.js';

const DIRECTORY: Mountpoint = { kind: 'directory' };
const FILE: Mountpoint = { kind: 'file' };

describe('the root file system before a start', () => {
  let base: string;
  let root: string;
  let victim: string;
  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), 'caisson-root-'));
    root = join(base, 'rootfs');
    victim = join(base, 'victim');
    mkdirSync(join(root, 'etc'), { recursive: true });
    mkdirSync(victim);
  });
  afterEach(() => rmSync(base, { recursive: true }));

  function prepare(workingDir: string, mountpoints: Record<string, Mountpoint> = {}): void {
    prepareRootfs(root, { workingDir, mountpoints: new Map(Object.entries(mountpoints)) });
  }

  it('passes with real directories or none', () => {
    checkRootfs(root);
    for (const name of ['dev', 'proc', 'sys']) mkdirSync(join(root, name));
    checkRootfs(root);
  });

  for (const name of ['dev', 'proc', 'sys', 'etc']) {
    it(`is refused when /${name} is a link or a file`, () => {
      rmSync(join(root, name), { recursive: true, force: true });
      symlinkSync(`../victim`, join(root, name));
      throwsReason(() => checkRootfs(root), 'HOSTILE_ROOTFS');
      rmSync(join(root, name));
      writeFileSync(join(root, name), '');
      throwsReason(() => checkRootfs(root), 'HOSTILE_ROOTFS');
    });
  }

  it('gets its working directory, open to all, whatever the umask', () => {
    const before = process.umask(0o077);
    try {
      prepare('/srv/app/data');
    } finally {
      process.umask(before);
    }
    for (const path of ['srv', 'srv/app', 'srv/app/data'])
      assert.equal(statSync(join(root, path)).mode & 0o7777, 0o755);
    prepare('/srv/app/data');
  });

  it('may reach the working directory through links that stay inside', () => {
    mkdirSync(join(root, 'run'));
    mkdirSync(join(root, 'var'));
    symlinkSync('/run', join(root, 'var/run'));
    prepare('/var/run');
    prepare('/var/run/new/x');
  });

  const outside: readonly [string, string][] = [
    ['an absolute link to a host directory', 'ABSOLUTE'],
    ['a link that climbs out', '../../../../../../../victim'],
    ['a link that climbs out by one', '../victim'],
    ['a link to /proc', '/proc/self'],
    ['a link to itself', 'a'],
    ['a link that leads nowhere', 'nowhere'],
  ];
  for (const [what, link] of outside) {
    it(`has no working directory below ${what}`, () => {
      mkdirSync(join(root, 'proc/self'), { recursive: true });
      symlinkSync(link === 'ABSOLUTE' ? victim : link, join(root, 'a'));
      const before = readdirSync(root).sort();
      throwsReason(() => prepare('/a/b'), 'BAD_WORKING_DIR', 'workingDir');
      assert.deepEqual(readdirSync(victim), []);
      assert.deepEqual(readdirSync(root).sort(), before);
    });
  }

  it('has no working directory in a file', () => {
    writeFileSync(join(root, 'a'), '');
    throwsReason(() => prepare('/a'), 'BAD_WORKING_DIR');
    throwsReason(() => prepare('/a/b'), 'BAD_WORKING_DIR');
  });

  it('gets mountpoints of the right kind inside the root', () => {
    symlinkSync(victim, join(root, 'out'));
    symlinkSync('../../run/resolve/stub', join(root, 'etc/resolv.conf'));
    prepare('/', {
      '/data/x': DIRECTORY,
      '/etc/resolv.conf': FILE,
      '/out/deep': DIRECTORY,
      '/cfg/file': FILE,
      '/scratch': { kind: 'directory', mode: 0o1777 },
    });
    assert.ok(statSync(join(root, 'data/x')).isDirectory());
    assert.ok(lstatSync(join(root, 'run/resolve/stub')).isFile());
    assert.ok(statSync(join(root, 'cfg/file')).isFile());
    assert.equal(statSync(join(root, 'scratch')).mode & 0o7777, 0o1777);
    assert.ok(statSync(join(root, victim, 'deep')).isDirectory());
    assert.deepEqual(readdirSync(victim), []);
  });

  it('has mountpoints for the files of the container where no mount of the caller is', () => {
    const own = new Map([['/etc/hosts', DIRECTORY]]);
    const files = { hosts: '/h', resolvConf: '/r' };
    const all = withFileMountpoints(own, files, '/usr/bin/tini');
    assert.deepEqual(Object.fromEntries(all), {
      '/etc/hosts': DIRECTORY,
      '/etc/resolv.conf': FILE,
      '/sbin/caisson-init': FILE,
    });
  });

  it('takes a file over a socket or FIFO of the image', () => {
    execFileSync('mkfifo', [join(root, 'pipe')]);
    prepare('/', { '/pipe': FILE });
    throwsReason(() => prepare('/', { '/pipe': DIRECTORY }), 'BAD_MOUNT_TARGET');
  });

  it('gives an existing mountpoint a forced mode only', () => {
    mkdirSync(join(root, 'a'), { mode: 0o755 });
    prepare('/', { '/a': { kind: 'directory', mode: 0o1777 } });
    assert.equal(statSync(join(root, 'a')).mode & 0o7777, 0o755);
    prepare('/', { '/a': { kind: 'directory', mode: 0o700, forceMode: true } });
    assert.equal(statSync(join(root, 'a')).mode & 0o7777, 0o700);
  });

  it('has no mountpoint that leads into the file systems of the kernel', () => {
    for (const [name, link] of [
      ['a', '/proc'],
      ['b', '/sys/fs'],
      ['c', 'dev'],
      ['d', '/'],
      ['e', '/dev/null'],
      ['f', 'f'],
    ] as const) {
      symlinkSync(link, join(root, name));
      throwsReason(() => prepare('/', { [`/${name}`]: DIRECTORY }), 'BAD_MOUNT_TARGET');
    }
    symlinkSync('/proc', join(root, 'p'));
    throwsReason(() => prepare('/', { '/p/self/attr': DIRECTORY }), 'BAD_MOUNT_TARGET');
  });

  it('refuses a mountpoint of the other kind', () => {
    throwsReason(() => prepare('/', { '/etc': FILE }), 'BAD_MOUNT_TARGET');
    writeFileSync(join(root, 'file'), '');
    throwsReason(() => prepare('/', { '/file': DIRECTORY }), 'BAD_MOUNT_TARGET');
  });

  it('leaves what lies under other mounts to the runtime', () => {
    prepare('/data/work', { '/data': DIRECTORY, '/data/nested': DIRECTORY, '/dev/shm': DIRECTORY });
    assert.deepEqual(readdirSync(join(root, 'data')), []);
    assert.equal(existsSync(join(root, 'dev')), false);
  });

  it('resolves bind sources and makes those that may be made', () => {
    writeFileSync(join(victim, 'file'), '');
    symlinkSync(join(victim, 'file'), join(base, 'link'));
    const made = join(base, 'new dir,a:b\n/x');
    const { mounts, mountpoints } = resolveBindSources(
      collectMounts({
        mounts: [
          { type: 'bind', source: join(base, 'link'), target: '/f' },
          { type: 'bind', source: made, target: '/d', createSource: true },
          { type: 'tmpfs', target: '/t' },
          { type: 'tmpfs', target: '/m', mode: 0o700 },
        ],
      }),
    );
    assert.deepEqual(
      mounts.map((mount) => (mount.type === 'bind' ? mount.source : mount.type)),
      [join(victim, 'file'), made, 'tmpfs', 'tmpfs'],
    );
    assert.deepEqual(mountpoints.get('/f'), { ...FILE, source: join(victim, 'file'), readOnly: false });
    assert.deepEqual(mountpoints.get('/d'), { ...DIRECTORY, source: made, readOnly: false });
    assert.deepEqual(mountpoints.get('/t'), { kind: 'directory', mode: 0o1777 });
    assert.deepEqual(mountpoints.get('/m'), { kind: 'directory', mode: 0o700, forceMode: true });
    const absent = collectMounts({ mounts: [{ type: 'bind', source: join(base, 'absent'), target: '/x' }] });
    throwsReason(() => resolveBindSources(absent), 'BAD_MOUNT_SOURCE', 'mounts[0].source');
  });
});
