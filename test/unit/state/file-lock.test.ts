import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { FileLock, withFileLock } from '#src/state/index.js';
import { ownIdentity } from '#src/state/lock-owner.js';
import { reason, scratch } from './scratch.js';

const temp = scratch();
const METHODS = ['flock', 'lockfile'] as const;
const tick = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

for (const method of METHODS) {
  test(`${method}: one holder, callers of one process in the order they came`, async () => {
    const path = temp('a:b,c\nd');
    const first = await FileLock.acquire(path, { method });
    assert.equal(first.held, true);
    assert.equal(FileLock.tryAcquire(path, { method }), undefined);
    const order: number[] = [];
    const all = [1, 2, 3].map((n) =>
      withFileLock(
        path,
        async (lock) => {
          lock.assertHeld();
          order.push(n);
          await tick(2);
        },
        { method },
      ),
    );
    await tick(10);
    assert.deepEqual(order, []);
    first.release();
    first.release();
    assert.equal(first.held, false);
    assert.throws(() => first.assertHeld(), reason('LOCK_LOST'));
    await Promise.all(all);
    assert.deepEqual(order, [1, 2, 3]);
    using last = FileLock.tryAcquire(path, { method });
    assert.equal(last?.held, true);
  });

  test(`${method}: a waiter times out, can be aborted, and does not keep the place`, async () => {
    const path = temp();
    const lock = await FileLock.acquire(path, { method });
    const { pid, startTime, bootId } = ownIdentity();
    await assert.rejects(
      FileLock.acquire(path, { method, timeoutMs: 20 }),
      reason('LOCK_TIMEOUT', { path, holder: { pid, startTime, bootId } }),
    );
    const controller = new AbortController();
    const waiting = FileLock.acquire(path, { method, signal: controller.signal });
    controller.abort();
    await assert.rejects(waiting, reason('CANCELED'));
    await assert.rejects(FileLock.acquire(path, { method, signal: AbortSignal.abort() }), reason('CANCELED'));
    lock.release();
    (await FileLock.acquire(path, { method, timeoutMs: 0 })).release();
    await assert.rejects(
      withFileLock(path, () => Promise.reject(new RangeError('work')), { method }),
      RangeError,
    );
    FileLock.tryAcquire(path, { method })?.release();
  });

  test(`${method}: a missing directory is said at once`, async () => {
    await assert.rejects(
      FileLock.acquire(join(temp(), 'no', 'lock'), { method }),
      reason('SYSCALL_FAILED', { errno: 'ENOENT' }),
    );
  });
}

test('shared holders exclude only an exclusive one, which is not starved', async () => {
  const path = temp();
  const one = await FileLock.acquire(path, { shared: true });
  const two = await FileLock.acquire(path, { shared: true });
  let got = false;
  const writer = FileLock.acquire(path).then((lock) => {
    got = true;
    return lock;
  });
  const late = FileLock.acquire(path, { shared: true });
  await tick(5);
  one.release();
  await tick(5);
  assert.equal(got, false);
  assert.equal(FileLock.tryAcquire(path, { shared: true }), undefined);
  two.release();
  (await writer).release();
  (await late).release();
});

test('a lock file that was replaced while someone held the old one does not count', async () => {
  const path = temp('sub/lock');
  mkdirSync(dirname(path));
  const old = await FileLock.acquire(path);
  renameSync(dirname(path), `${dirname(path)}.old`);
  mkdirSync(dirname(path));
  // The kernel lock on the old file is still held; the name means another file now.
  old.release();
  const fresh = await FileLock.acquire(path, { timeoutMs: 100 });
  assert.deepEqual(readdirSync(dirname(path)), ['lock']);
  fresh.release();
});

test('lockfile: who loses the lock directory from outside is told, and release stays quiet', async () => {
  const path = temp();
  const lock = await FileLock.acquire(path, { method: 'lockfile' });
  rmSync(`${path}.lock`, { recursive: true });
  assert.equal(lock.held, false);
  assert.throws(() => lock.assertHeld(), reason('LOCK_LOST', { path }));
  const next = await FileLock.acquire(join(dirname(path), '.', 'other'), { method: 'lockfile' });
  lock.release();
  next.release();
  assert.deepEqual(readdirSync(dirname(path)), []);
});

test('lockfile: the heartbeat decides only about owners that cannot be looked up', async () => {
  const { encodeOwner } = await import('#src/state/lock-owner.js');
  const { utimesSync } = await import('node:fs');
  const path = temp();
  const plant = (owner: ReturnType<typeof ownIdentity>, ageMs: number) => {
    rmSync(`${path}.lock`, { recursive: true, force: true });
    mkdirSync(`${path}.lock`);
    writeFileSync(join(`${path}.lock`, 'owner-x'), encodeOwner(owner));
    const when = new Date(Date.now() - ageMs);
    utimesSync(`${path}.lock`, when, when);
  };
  const take = () => {
    const lock = FileLock.tryAcquire(path, { method: 'lockfile' });
    lock?.release();
    return lock !== undefined;
  };
  const me = ownIdentity();
  plant(me, 3_600_000);
  assert.equal(take(), false, 'alive, however old');
  plant({ ...me, startTime: '1' }, 0);
  assert.equal(take(), true, 'another process with this pid: dead at once');
  plant({ ...me, bootId: 'other' }, 1_000);
  assert.equal(take(), false, 'another machine, fresh');
  plant({ ...me, bootId: 'other' }, 60_000);
  assert.equal(take(), true, 'another boot, old');
  plant({ ...me, pidNamespace: 'pid:[1]', pid: 1 }, 1_000);
  assert.equal(take(), false, 'another pid namespace, fresh');
});

test('lockfile: leaves no listener and no patch in the host process', async () => {
  const { spawnSync } = await import('node:child_process');
  const path = temp();
  const script = `
    const facts = () => [process.emit, process.reallyExit, process.cwd, process.chdir,
      ...process.eventNames().map((name) => String(name) + process.listenerCount(name))];
    const before = facts();
    const { FileLock } = await import(${JSON.stringify(new URL(import.meta.resolve('#src/state/index.js')).href)});
    const lock = await FileLock.acquire(${JSON.stringify(path)}, { method: 'lockfile' });
    const during = facts();
    const same = before.length === during.length && before.every((fact, i) => fact === during[i]);
    console.log(JSON.stringify({ same, held: lock.held}));
    // Ends without release: a lock must not keep the process running.
  `;
  const result = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    timeout: 10_000,
  });
  assert.equal(result.stderr, '');
  assert.deepEqual(JSON.parse(result.stdout), { same: true, held: true });
  assert.equal(result.status, 0);
  FileLock.tryAcquire(path, { method: 'lockfile' })?.release();
  assert.deepEqual(readdirSync(dirname(path)), [], 'the lock of the ended process was taken over at once');
});
