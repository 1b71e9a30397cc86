import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { findExecutable, mountAll, unmount } from '#src/os/index.js';
import { FILES, LAYER_A, LAYER_B, openStore } from './snapshots-workload.js';

const WORKLOAD = join(import.meta.dirname, 'snapshots-workload.js');
const STEPS_MAX = 80;
const strace = findExecutable('strace');
const skip = process.geteuid?.() !== 0 ? 'missing: root' : strace === undefined ? 'missing: strace' : false;

describe('snapshots of a process killed at any step', { skip }, () => {
  // Each step of the first kind; of the second, which shares all but the copying, enough to hit each phase.
  const sweeps = [
    { kind: 'overlay', stride: 1, syscalls: ['rename', 'mkdir', 'rmdir', 'unlink', 'fsync', 'symlink'] },
    { kind: 'vfs', stride: 3, syscalls: ['rename', 'mkdir', 'unlink', 'fchmodat,fchmod,chmod,lchown,utimensat'] },
  ];
  for (const { kind, stride, syscalls } of sweeps) {
    for (const syscall of syscalls) {
      it(`${kind}: SIGKILL at each ${syscall}`, async () => {
        let killed = 0;
        let n = 1;
        for (; n <= STEPS_MAX; n += stride) {
          const dir = mkdtempSync(join(tmpdir(), 'snapshots-crash-'));
          try {
            const store = join(dir, 'store');
            const survived = runKilled(syscall, n, kind, store);
            await checkRecovered(kind, store, dir);
            if (survived) break;
            killed++;
          } finally {
            rmSync(dir, { recursive: true, force: true });
          }
        }
        assert.ok(killed > 0 && n < STEPS_MAX, `${killed} kills`);
      });
    }
  }
});

function runKilled(syscall: string, n: number, kind: string, store: string): boolean {
  const inject = `inject=${syscall}:signal=KILL:when=${n}`;
  const args = ['-f', '-qq', '-o', '/dev/null', '-e', `trace=${syscall}`, '-e', inject];
  const run = spawnSync(strace as string, [...args, process.execPath, WORKLOAD, kind, 'lifecycle', store], {
    encoding: 'utf8',
  });
  assert.ok(run.status === 0 || run.signal === 'SIGKILL' || run.status === 137, run.stderr);
  return run.status === 0;
}

/** Whatever was cut off: after recovery each snapshot is whole or absent and nothing else is left. */
async function checkRecovered(kind: string, store: string, dir: string): Promise<void> {
  const snapshotter = openStore(kind, store);
  await snapshotter.recover();
  for (const part of ['staging', 'trash', 'removing']) assert.deepEqual(readdirSync(join(store, part)), [], part);
  const links = existsSync(join(store, 'l')) ? readdirSync(join(store, 'l')) : [];
  for (const link of links) assert.ok(existsSync(join(store, 'l', link)), `${link} leads nowhere`);
  const found = await snapshotter.list();
  const keys = found.map((one) => one.key);
  for (const place of ['active', 'committed']) {
    for (const name of readdirSync(join(store, place))) assert.ok(keys.includes(name.replaceAll('+', ':')), name);
  }
  for (const one of found) {
    assert.ok(['container', LAYER_A, LAYER_B].includes(one.key), one.key);
    if (one.parent !== undefined) assert.ok(keys.includes(one.parent), `${one.key} lost ${one.parent}`);
    await checkContents(snapshotter, one.key, join(dir, 'mnt'));
  }
  for (const key of ['container', LAYER_B, LAYER_A]) await snapshotter.remove(key);
  assert.deepEqual(await snapshotter.list(), []);
}

async function checkContents(snapshotter: ReturnType<typeof openStore>, key: string, mnt: string): Promise<void> {
  mkdirSync(mnt, { recursive: true });
  const isActive = key === 'container';
  mountAll(isActive ? await snapshotter.mounts(key) : await snapshotter.view('check', key), mnt);
  try {
    assert.equal(readdirSync(mnt).length, key === LAYER_A ? FILES : FILES * 2, key);
  } finally {
    unmount(mnt);
    if (!isActive) await snapshotter.remove('check');
  }
}
