import assert from 'node:assert/strict';
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { EngineError } from '#src/errors/index.js';
import { resolveInRoot } from '#src/os/index.js';
import { errnoOf, openat2InRoot } from '#src/os/syscalls/index.js';
import { tempDir } from '#support/roots.js';
import { throwsReason } from '#support/throws-reason.js';

let root = '';
let outside = '';

const cleanups: (() => void)[] = [];

before(() => {
  const dir = tempDir({ after: (work) => cleanups.push(work) });
  root = join(dir, 'root');
  outside = join(dir, 'secret');
  mkdirSync(join(root, 'a/b'), { recursive: true });
  mkdirSync(join(root, 'etc'));
  writeFileSync(outside, 'outside');
  writeFileSync(join(root, 'etc/passwd'), 'inside');
  writeFileSync(join(root, 'secret'), 'inside');
  const links: Record<string, string> = {
    abs: '/etc',
    rel: 'a/b',
    up: '../../../../..',
    deep: '/a/b/../../etc/passwd',
    escape: '../secret',
    'a/b/out': '../../../../../secret',
    chain1: 'chain2',
    chain2: '/abs/passwd',
    loop: 'loop',
    ping: 'pong',
    pong: '/ping',
    dangling: '/not/there',
    'a/self': '.',
    'ünï 漢': 'etc',
    slashes: '//etc///',
    magic: '/proc/self/root',
  };
  for (const [name, target] of Object.entries(links)) symlinkSync(target, join(root, name));
  let previous = 'etc/passwd';
  for (let n = 0; n < 60; n++) {
    symlinkSync(previous, join(root, `long${n}`));
    previous = `long${n}`;
  }
});
after(() => {
  for (const work of cleanups) work();
});

/** Path in the root, and what it must come to, as the root sees it. */
const TABLE: [string, string][] = [
  ['', ''],
  ['/', ''],
  ['.', ''],
  ['..', ''],
  ['../../..', ''],
  ['/etc/passwd', '/etc/passwd'],
  ['etc//./passwd', '/etc/passwd'],
  ['/a/b/..', '/a'],
  ['a/b/../../../../etc', '/etc'],
  ['abs', '/etc'],
  ['abs/passwd', '/etc/passwd'],
  ['rel', '/a/b'],
  ['rel/..', '/a'],
  ['up', ''],
  ['up/etc', '/etc'],
  ['up/../../etc', '/etc'],
  ['deep', '/etc/passwd'],
  ['escape', '/secret'],
  ['a/b/out', '/secret'],
  ['chain1', '/etc/passwd'],
  ['a/self/self/self/b', '/a/b'],
  ['ünï 漢/passwd', '/etc/passwd'],
  ['slashes/passwd', '/etc/passwd'],
  ['long59', '/etc/passwd'],
];

/** Where something of the path is not there. */
const MISSING: [string, string][] = [
  ['nope', '/nope'],
  ['nope/below/../x', '/nope/x'],
  ['nope/../../etc', '/etc'],
  ['dangling', '/not/there'],
  ['dangling/x', '/not/there/x'],
  ['a/nope', '/a/nope'],
  ['abs/nope', '/etc/nope'],
  ['etc/passwd/below', '/etc/passwd/below'],
];

describe('resolveInRoot', () => {
  for (const [path, expected] of [...TABLE, ...MISSING]) {
    it(`takes ${JSON.stringify(path)} to ${JSON.stringify(expected || '/')}`, () => {
      assert.equal(resolveInRoot(root, path), root + expected);
    });
  }

  it('refuses loops of links', () => {
    for (const path of ['loop', 'ping', 'pong/x']) {
      const error = throwsReason(() => resolveInRoot(root, path), 'BAD_SOURCE');
      assert.equal(error.details['path'], path);
    }
  });

  it('can have the real root as its root', () => {
    assert.equal(resolveInRoot('/', '/proc/version'), '/proc/version');
    assert.equal(resolveInRoot('/', '..'), '/');
  });
});

describe('openat2InRoot', () => {
  const O_PATH = 0o10000000;

  /** The path that the kernel comes to, as the root sees it. */
  function open(path: string, flags = O_PATH): string {
    const rootFd = openSync(root, constants.O_DIRECTORY);
    try {
      const fd = openat2InRoot(rootFd, path, flags);
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).slice(root.length);
      } finally {
        closeSync(fd);
      }
    } finally {
      closeSync(rootFd);
    }
  }

  for (const [path, expected] of TABLE.filter(([path]) => path !== '' && path !== 'long59')) {
    it(`agrees about ${JSON.stringify(path)}`, () => assert.equal(open(path), expected));
  }

  it('reports what it can not open, by errno', () => {
    const errnos = [
      ['nope', 'ENOENT'],
      ['dangling', 'ENOENT'],
      ['loop', 'ELOOP'],
      ['etc/passwd/below', 'ENOTDIR'],
      ['a\0b', 'EINVAL'],
    ] as const;
    for (const [path, errno] of errnos) {
      assert.throws(
        () => open(path),
        (error) => EngineError.is(error, undefined, 'SYSCALL_FAILED') && errnoOf(error) === errno,
        path,
      );
    }
  });

  it('does not go through a magic link', () => {
    const fd = openSync('/proc/self/fd', constants.O_DIRECTORY);
    try {
      assert.throws(
        () => openat2InRoot(fd, `${fd}/1`, O_PATH),
        (error) => errnoOf(error) === 'ELOOP',
      );
    } finally {
      closeSync(fd);
    }
  });

  it('makes a file inside, and closes it on exec', () => {
    const rootFd = openSync(root, constants.O_DIRECTORY);
    const fd = openat2InRoot(rootFd, 'abs/../../../made', constants.O_WRONLY | constants.O_CREAT, 0o600);
    try {
      assert.equal(readlinkSync(`/proc/self/fd/${fd}`), join(root, 'made'));
      const flags = Number.parseInt(
        /flags:\s+(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '',
        8,
      );
      assert.ok(flags & 0o2000000, 'closed on exec');
    } finally {
      closeSync(fd);
      closeSync(rootFd);
    }
  });
});
