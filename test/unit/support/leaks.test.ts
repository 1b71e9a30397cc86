import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { MS, mount, umount } from '#src/os/syscalls/index.js';
import { diffSnapshots, machineSnapshot, scopedSnapshot } from '#support/leaks.js';
import { requireRoot } from '#support/require.js';
import { tempDir, withTempRoot } from '#support/roots.js';

describe('leak snapshots', () => {
  it('name a process by its arguments and by its working directory', async (t) => {
    const dir = tempDir(t);
    const before = scopedSnapshot(dir);
    const children = [
      spawn('sleep', ['30'], { cwd: dir }),
      spawn('/bin/sh', ['-c', 'read line', join(dir, 'argument')]),
    ];
    try {
      const found = diffSnapshots(before, scopedSnapshot(dir));
      assert.equal(found.length, 2, found.join('\n'));
      for (const child of children) assert.ok(found.some((line) => line.startsWith(`process ${child.pid} `)));
    } finally {
      for (const child of children) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
    }
    assert.deepEqual(diffSnapshots(before, scopedSnapshot(dir)), []);
  });

  it('name a mount', (t) => {
    if (!requireRoot(t)) return;
    const dir = tempDir(t);
    const before = scopedSnapshot(dir);
    mount(dir, dir, null, MS.BIND, null);
    try {
      assert.match(diffSnapshots(before, scopedSnapshot(dir)).join('\n'), new RegExp(`^mount ${dir} `, 'm'));
    } finally {
      umount(dir);
    }
    assert.deepEqual(diffSnapshots(before, scopedSnapshot(dir)), []);
  });

  it('name a mount that only another mount namespace has', async (t) => {
    if (!requireRoot(t)) return;
    const dir = tempDir(t);
    const before = scopedSnapshot(dir);
    const script = `mount -t tmpfs tmpfs '${dir}' && echo ready && exec sleep 30`;
    const child = spawn('unshare', ['-m', 'sh', '-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      await once(child.stdout, 'data');
      const found = diffSnapshots(before, scopedSnapshot(dir));
      assert.match(found.join('\n'), new RegExp(`^mount ${dir} in the namespace of process \\d+$`, 'm'));
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  });

  it('name a socket', async (t) => {
    const dir = tempDir(t);
    const before = scopedSnapshot(dir);
    const server = createServer().listen(join(dir, 'x.sock'));
    await once(server, 'listening');
    assert.deepEqual(diffSnapshots(before, scopedSnapshot(dir)), [`unix socket ${join(dir, 'x.sock')}`]);
    server.close();
    await once(server, 'close');
  });

  it('name files left in the run’s temporary directory', (t) => {
    const dir = tempDir(t);
    const scope = { token: dir, sharedMachine: true };
    const before = machineSnapshot(scope);
    writeFileSync(join(dir, 'left'), '');
    assert.deepEqual(diffSnapshots(before, machineSnapshot(scope)), [`temporary file ${join(dir, 'left')}`]);
  });

  it('fail a test that leaves a process in its root', async () => {
    let pid = 0;
    let left = '';
    const leaky = withTempRoot(({ dir, root }) => {
      left = dir;
      const child = spawn('sleep', ['30'], { cwd: root, stdio: 'ignore' });
      pid = child.pid ?? 0;
      child.unref();
    });
    await assert.rejects(leaky, (error: Error) => error.message.includes(`process ${pid} `));
    process.kill(pid, 'SIGKILL');
    rmSync(left, { recursive: true });
  });

  it('let a clean test pass and remove its root', async () => {
    const dir = await withTempRoot(({ root, runDir, dir }) => {
      mkdirSync(join(root, 'x'));
      mkdirSync(join(runDir, 'x'));
      return dir;
    });
    assert.throws(() => writeFileSync(join(dir, 'x'), ''), { code: 'ENOENT' });
  });
});
