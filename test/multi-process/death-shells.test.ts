import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { SWEEP_SCRIPT, WATCH_SCRIPT } from '#src/containers/ephemeral/sweeper-script.js';
import { mountAll, readCgroupLayout } from '#src/os/index.js';
import { findBinary, requireBinary, requireRoot } from '#support/require.js';
import { tempDir } from '#support/roots.js';

const APPLETS = ['cat', 'find', 'grep', 'rm', 'rmdir', 'setsid', 'sh', 'sleep', 'umount'];

/** The sweeper's text must do its work in whatever /bin/sh is, with whatever tools are beside it. */
describe('the sweeper, in each shell', () => {
  for (const shell of ['dash', 'bash', 'busybox']) {
    it(shell, { timeout: 20_000 }, async (t) => {
      if (!requireRoot(t)) return;
      const path = requireBinary(t, shell);
      if (path === undefined) return;
      const dir = tempDir(t, 'shell');
      let sh = path;
      let programs = '/usr/sbin:/usr/bin:/sbin:/bin';
      if (shell === 'busybox') {
        programs = join(dir, 'bin');
        mkdirSync(programs);
        for (const applet of APPLETS) symlinkSync(path, join(programs, applet));
        sh = join(programs, 'sh');
      }
      const session = join(dir, "se'ss\nion", '0123456789abcdef');
      const parent = `/caisson-test-${dir.slice(-6)}`;
      const mounts = readCgroupLayout().mountPoints;
      const id = 'ab'.repeat(32);
      const box = join(session, 'c', id);
      const own = join(dir, 'own place');
      for (const one of [`${box}/rootfs`, `${session}/own`, `${session}/x`, join(own, id, 'deep'), `${own}/other`]) {
        mkdirSync(one, { recursive: true });
      }
      symlinkSync(own, `${session}/own/0`);
      mountAll([{ type: 'tmpfs', source: 'tmpfs', options: [] }], `${box}/rootfs`);
      writeFileSync(`${box}/rootfs/file`, '');
      const groups = mounts.map((mount) => `${mount}${parent}/caisson-${id}`);
      for (const group of groups) mkdirSync(`${group}/a/.b`, { recursive: true });
      t.after(() => {
        for (const mount of mounts) rmdirSync(mount + parent);
      });

      const watcher = spawn(
        sh,
        ['-c', WATCH_SCRIPT.replaceAll('/bin/sh', sh), 'caisson-watch', SWEEP_SCRIPT, session, parent, ...mounts],
        { stdio: ['pipe', 'ignore', 'ignore'], detached: true, env: { PATH: programs } },
      );
      // In the container, frozen where that is possible; a runtime in a session of its own; one that has nothing to do with it.
      const inside = sleeper();
      for (const group of groups) tryWrite(`${group}/a/.b/cgroup.procs`, String(inside.pid));
      const freezer = groups.find((group) => existsSync(`${group}/freezer.state`));
      if (freezer !== undefined) writeFileSync(`${freezer}/a/.b/freezer.state`, 'FROZEN');
      const runtime = sleeper(`${box}/bundle`);
      const stranger = sleeper(`${dir}/c/`);
      t.after(() => stranger.kill('SIGKILL'));

      watcher.stdin?.destroy();
      const startedAt = Date.now();
      while (existsSync(box) && Date.now() - startedAt < 5_000) await new Promise((r) => setTimeout(r, 10));
      t.diagnostic(`${shell}: ${Date.now() - startedAt} ms`);
      assert.ok(!existsSync(box));
      assert.ok(existsSync(session), 'the session itself stays, for the next open to see');
      assert.deepEqual(groups.filter(existsSync), []);
      assert.ok(!readFileSync('/proc/self/mountinfo', 'utf8').includes(id));
      assert.deepEqual([existsSync(join(own, id)), existsSync(`${own}/other`)], [false, true]);
      await new Promise((r) => setTimeout(r, 50));
      assert.deepEqual([inside.signalCode, runtime.signalCode, stranger.signalCode], ['SIGKILL', 'SIGKILL', null]);
    });
  }
});

/** A process that leads its own session and has `word` among its arguments. */
function sleeper(word = 'nothing'): ChildProcess {
  const sh = findBinary('sh') as string;
  return spawn(sh, ['-c', 'read -r _; :', word], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
}

function tryWrite(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch {
    // cpuset takes no process before it has CPUs; a v2 group with children takes none at all.
  }
}
