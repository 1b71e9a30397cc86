import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseMountInfo, readMountInfo } from '#src/os/mountinfo.js';
import { escapeOverlayPath, splitLowerDirs } from '#src/os/overlay-data.js';

describe('parseMountInfo', () => {
  it('reads the fields of a line, with and without optional ones', () => {
    const [plain, shared] = parseMountInfo(
      [
        '36 35 98:0 /mnt1 /mnt2 rw,noatime - ext3 /dev/root rw,errors=continue',
        '37 36 0:5 / /dev rw,nosuid shared:2 master:1 propagate_from:3 - devtmpfs udev rw,size=1k',
        '',
      ].join('\n'),
    );
    assert.deepEqual(plain, {
      id: 36,
      parentId: 35,
      root: '/mnt1',
      mountPoint: '/mnt2',
      options: ['rw', 'noatime'],
      fsType: 'ext3',
      source: '/dev/root',
      superOptions: 'rw,errors=continue',
    });
    assert.equal(shared?.fsType, 'devtmpfs');
    assert.equal(shared?.superOptions, 'rw,size=1k');
  });

  it('undoes the escapes of the kernel and nothing else', () => {
    const escapes: [string, string][] = [
      ['/a\\040b', '/a b'],
      ['/tab\\011', '/tab\t'],
      ['/line\\012break', '/line\nbreak'],
      ['/back\\134slash', '/back\\slash'],
      ['/hash\\043', '/hash#'],
      ['/not\\134040', '/not\\040'],
      ['/ünï-漢字-🚀', '/ünï-漢字-🚀'],
      ['/mixed\\040漢\\134', '/mixed 漢\\'],
      ['/comma,colon:', '/comma,colon:'],
    ];
    for (const [written, meant] of escapes) {
      const [mount] = parseMountInfo(`1 2 0:1 ${written} ${written} rw - tmpfs ${written} rw`);
      assert.deepEqual([mount?.root, mount?.mountPoint, mount?.source], [meant, meant, meant]);
    }
  });

  it('bears an empty source and lines that are none', () => {
    const [mount, ...rest] = parseMountInfo('1 2 0:1 / /x rw - tmpfs  rw,size=5k\nnonsense\n\n');
    assert.equal(mount?.source, '');
    assert.equal(mount?.superOptions, 'rw,size=5k');
    assert.deepEqual(rest, []);
  });

  it('reads our own mounts', () => {
    const mounts = readMountInfo();
    assert.ok(mounts.some((mount) => mount.mountPoint === '/'));
    assert.ok(mounts.some((mount) => mount.mountPoint === '/proc' && mount.fsType === 'proc'));
    assert.deepEqual(readMountInfo(process.pid), mounts);
    assert.throws(() => readMountInfo(0x7fffffff), /ENOENT/);
  });
});

describe('paths in overlay options', () => {
  const odd = ['/a', '/a:b', '/a,b', '/a\\b', '/a\\:b', '/a\\', '/ü 漢', '/::,,\\\\'];

  it('come back as they were, alone and in a list', () => {
    for (const path of odd) assert.deepEqual(splitLowerDirs(escapeOverlayPath(path)), [path]);
    assert.deepEqual(splitLowerDirs(odd.map(escapeOverlayPath).join(':')), odd);
  });

  it('have no bare comma or colon', () => {
    for (const path of odd) assert.doesNotMatch(escapeOverlayPath(path), /(?<!\\)(\\\\)*[,:]/);
  });
});
