import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Reason } from '#src/errors/index.js';
import { openRootfsReader, resolveUser } from '#src/spec/index.js';
import { throwsReason } from '#support/throws-reason.js';

const PASSWD = `# a comment
root:x:0:0:root:/root:/bin/sh
dev:x:1000:1001:Dev:/home/dev:/bin/sh
broken
huge:x:99999999999:0::/:/bin/sh
99999999999:x:0:0::/evil:/bin/sh
4242:x:7:7::/digits:/bin/sh
nohome:x:5:5
weird:x:6:6::relative/home:/bin/sh
`;
const GROUP = `root:x:0:
wheel:x:10:root,dev
devs:x:1001:
audio:x:29:dev
77:x:5000:
toobig:x:4294967296:dev
`;

const TABLE: readonly [
  user: string,
  groups: (string | number)[],
  uid: number,
  gid: number,
  gids: number[],
  home: string,
][] = [
  ['', [], 0, 0, [0, 10], '/root'],
  ['root', [], 0, 0, [0, 10], '/root'],
  ['0', [], 0, 0, [0, 10], '/root'],
  ['dev', [], 1000, 1001, [1001, 10, 29], '/home/dev'],
  ['dev:', [], 1000, 1001, [1001, 10, 29], '/home/dev'],
  ['1000', [], 1000, 1001, [1001, 10, 29], '/home/dev'],
  ['01000', [], 1000, 1001, [1001, 10, 29], '/home/dev'],
  ['dev:audio', [], 1000, 29, [29], '/home/dev'],
  ['dev:0', [], 1000, 0, [0], '/home/dev'],
  ['1000:1000', [], 1000, 1000, [1000], '/home/dev'],
  ['4242', [], 4242, 0, [0], '/'],
  ['4242:77', [], 4242, 77, [77], '/'],
  [':29', [], 0, 29, [29], '/root'],
  [':audio', [], 0, 29, [29], '/root'],
  ['2147483647:2147483647', [], 2147483647, 2147483647, [2147483647], '/'],
  ['dev', ['wheel', 5, '6'], 1000, 1001, [1001, 10, 29, 5, 6], '/home/dev'],
  ['dev:0', ['audio', 0], 1000, 0, [0, 29], '/home/dev'],
  ['nohome', [], 5, 5, [5], '/'],
  ['weird', [], 6, 6, [6], '/'],
];

const REFUSED: readonly [user: string, groups: (string | number)[], reason: Reason][] = [
  ['nobody', [], 'UNKNOWN_USER'],
  ['dev:nogroup', [], 'UNKNOWN_USER'],
  ['dev', ['nogroup'], 'UNKNOWN_USER'],
  ['broken', [], 'UNKNOWN_USER'],
  ['huge', [], 'UNKNOWN_USER'],
  ['dev:toobig', [], 'UNKNOWN_USER'],
  ['99999999999', [], 'BAD_USER'],
  ['4294967296', [], 'BAD_USER'],
  ['2147483648', [], 'BAD_USER'],
  ['0:2147483648', [], 'BAD_USER'],
  ['-1', [], 'BAD_USER'],
  ['+0', [], 'BAD_USER'],
  ['a:b:c', [], 'BAD_USER'],
  ['root\n', [], 'BAD_USER'],
  ['dev', ['4294967295'], 'BAD_USER'],
];

describe('resolveUser', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'caisson-user-'));
    mkdirSync(join(root, 'etc'));
    writeFileSync(join(root, 'etc/passwd'), PASSWD);
    writeFileSync(join(root, 'etc/group'), GROUP);
  });
  afterEach(() => rmSync(root, { recursive: true }));

  for (const [user, groups, uid, gid, additionalGids, home] of TABLE) {
    it(`"${user}" with groups ${JSON.stringify(groups)}`, () => {
      assert.deepEqual(resolveUser(openRootfsReader(root), user, groups), { uid, gid, additionalGids, home });
    });
  }

  for (const [user, groups, reason] of REFUSED) {
    it(`refuses ${JSON.stringify(user)} with groups ${JSON.stringify(groups)}`, () => {
      throwsReason(() => resolveUser(openRootfsReader(root), user, groups), reason);
    });
  }

  it('needs no files for numbers', () => {
    rmSync(join(root, 'etc'), { recursive: true });
    const expected = { uid: 12, gid: 34, additionalGids: [34], home: '/' };
    assert.deepEqual(resolveUser(openRootfsReader(root), '12:34'), expected);
    throwsReason(() => resolveUser(openRootfsReader(root), 'root'), 'UNKNOWN_USER');
  });

  it('follows links inside the root and not out of it', () => {
    mkdirSync(join(root, 'static'));
    writeFileSync(join(root, 'static/passwd'), 'inner:x:9:9::/in:\n');
    rmSync(join(root, 'etc/passwd'));
    symlinkSync('/static/passwd', join(root, 'etc/passwd'));
    assert.equal(resolveUser(openRootfsReader(root), 'inner').uid, 9);
    rmSync(join(root, 'etc/passwd'));
    // The host's own file has root in it; the root of the container has no such file.
    symlinkSync('../../../../../../../../etc/hostname', join(root, 'etc/passwd'));
    throwsReason(() => resolveUser(openRootfsReader(root), 'root'), 'UNKNOWN_USER');
  });

  const hostile: readonly [string, (path: string) => void][] = [
    ['a FIFO', (path) => execFileSync('mkfifo', [path])],
    ['a directory', (path) => mkdirSync(path)],
    ['a loop of links', (path) => symlinkSync('passwd', path)],
    ['a file of 2 GiB', (path) => execFileSync('truncate', ['--size=2G', path])],
    ['a link to a device', (path) => execFileSync('sh', ['-c', `mknod ${root}/zero c 1 5 && ln -s /zero ${path}`])],
  ];
  for (const [what, make] of hostile) {
    it(`refuses an /etc/passwd that is ${what}`, {
      skip: process.getuid?.() !== 0 && what.includes('device') ? 'missing: root' : false,
    }, () => {
      rmSync(join(root, 'etc/passwd'));
      make(join(root, 'etc/passwd'));
      throwsReason(() => resolveUser(openRootfsReader(root), 'dev'), 'HOSTILE_ROOTFS');
    });
  }

  it('skips endless lines', () => {
    writeFileSync(join(root, 'etc/passwd'), `${'x'.repeat(1 << 20)}:x:1:1::/:\nlast:x:3:3::/last:`);
    assert.equal(resolveUser(openRootfsReader(root), 'last').uid, 3);
  });
});
