import assert from 'node:assert/strict';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { spawnChild } from '#src/os/spawn.js';
import { dupAbove, errnoOf, flock } from '#src/os/syscalls/index.js';
import { tempDir } from '#support/roots.js';

/** Opens one file several times; closed after the test. */
function opens(t: TestContext, count: number): number[] {
  const path = join(tempDir(t), 'lock');
  writeFileSync(path, '');
  const fds = Array.from({ length: count }, () => openSync(path, 'r'));
  t.after(() => {
    for (const fd of fds) closeSync(fd);
  });
  return fds;
}

const now = { nonBlocking: true };

describe('flock', () => {
  it('excludes another open file of the same path', (t) => {
    const [a, b] = opens(t, 2) as [number, number];
    assert.equal(flock(a, 'exclusive', now), true);
    assert.equal(flock(a, 'exclusive', now), true, 'again by the holder');
    assert.equal(flock(b, 'exclusive', now), false);
    assert.equal(flock(b, 'shared', now), false);
    flock(a, 'unlock');
    assert.equal(flock(b, 'exclusive', now), true);
  });

  it('lets readers share, and keeps a writer out until the last has left', (t) => {
    const [a, b, c] = opens(t, 3) as [number, number, number];
    assert.equal(flock(a, 'shared', now), true);
    assert.equal(flock(b, 'shared', now), true);
    assert.equal(flock(c, 'exclusive', now), false);
    flock(a, 'unlock');
    assert.equal(flock(c, 'exclusive', now), false);
    flock(b, 'unlock');
    assert.equal(flock(c, 'exclusive', now), true);
  });

  it('is held until the last copy of the descriptor is closed', (t) => {
    const [a, b] = opens(t, 2) as [number, number];
    const copy = dupAbove(a, 100);
    assert.ok(copy >= 100);
    flock(copy, 'exclusive', now);
    assert.equal(flock(a, 'exclusive', now), true, 'a copy is the same holder');
    const c = dupAbove(b, 100);
    closeSync(copy);
    assert.equal(flock(c, 'exclusive', now), false);
    closeSync(c);
  });

  it('is not handed to children: the death of the holder frees it', async (t) => {
    const [a, b] = opens(t, 2) as [number, number];
    const copy = dupAbove(a, 100);
    flock(copy, 'exclusive', now);
    const child = spawnChild({ file: '/bin/cat', args: [], stdin: 'pipe' });
    closeSync(copy);
    flock(a, 'unlock');
    assert.equal(flock(b, 'exclusive', now), true, 'while a child from the time of the lock still runs');
    child.stdin?.end();
    await child.exit;
  });

  it('reports a bad descriptor', () => {
    assert.throws(
      () => flock(9999, 'exclusive', now),
      (error) => errnoOf(error) === 'EBADF',
    );
  });
});
