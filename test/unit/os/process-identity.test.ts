import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { bootId, identifyProcess, isAlive, isEnding, type ProcessIdentity, signalProcess } from '#src/os/index.js';
import { spawnChild } from '#src/os/spawn.js';
import { errnoOf, posixSpawn, waitpidNow } from '#src/os/syscalls/index.js';
import { requireBinary, requireRoot } from '#support/require.js';
import { tempDir } from '#support/roots.js';

const cat = () => spawnChild({ file: '/bin/cat', args: [], stdin: 'pipe', stdout: 'null', stderr: 'null' });
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('the identity of a process', () => {
  it('stays the same while it lives and means nobody afterwards', async () => {
    const child = cat();
    const identity = identifyProcess(child.pid) as ProcessIdentity;
    assert.deepEqual(identifyProcess(child.pid), identity);
    assert.match(identity.startTime, /^\d+$/);
    assert.equal(isAlive(identity), true);
    assert.equal(signalProcess(identity, 0), true);
    assert.equal(signalProcess(identity, 'SIGKILL'), true);
    assert.equal((await child.exit).signal, 9);
    assert.equal(isAlive(identity), false);
    assert.equal(signalProcess(identity, 0), false);
    assert.equal(identifyProcess(child.pid), undefined);
  });

  it('does not fit another start time or another boot', () => {
    const own = identifyProcess(process.pid) as ProcessIdentity;
    assert.equal(isAlive(own), true);
    for (const other of [
      { ...own, startTime: `${Number(own.startTime) + 1}` },
      { ...own, bootId: own.bootId.replace(/^./, (digit) => (digit === '0' ? '1' : '0')) },
      { ...own, pid: 0x7fffffff },
    ]) {
      assert.equal(isAlive(other), false);
      assert.equal(signalProcess(other, 0), false);
    }
  });

  it('is none for a zombie', async () => {
    // Started without a watch, so that nobody reaps it before we have looked.
    const pid = posixSpawn({
      file: '/bin/sleep',
      argv: ['sleep', '0.05'],
      env: [],
      cwd: undefined,
      fds: [null, null, null],
      processGroup: undefined,
      newSession: false,
    });
    const identity = identifyProcess(pid) as ProcessIdentity;
    assert.equal(isAlive(identity), true);
    while (!/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))) await pause(5);
    assert.equal(isAlive(identity), false);
    assert.equal(identifyProcess(pid), undefined);
    assert.equal(signalProcess(identity, 'SIGKILL'), false);
    assert.equal(waitpidNow(pid), 0);
    assert.throws(
      () => waitpidNow(pid),
      (error) => errnoOf(error) === 'ECHILD',
    );
  });

  it('reads past a command name with parentheses and spaces', async (t) => {
    const path = join(tempDir(t), 'a) Z 1 (b');
    writeFileSync(path, '#!/bin/sh\nread -r _\n', { mode: 0o755 });
    const child = spawnChild({ file: path, args: [], stdin: 'pipe', stdout: 'null', stderr: 'null' });
    while (!readFileSync(`/proc/${child.pid}/stat`, 'latin1').includes('(a) Z 1 (b)')) await pause(5);
    const identity = identifyProcess(child.pid);
    assert.ok(identity !== undefined && isAlive(identity));
    assert.ok(Number(identity.startTime) > 100);
    child.stdin?.end('\n');
    assert.equal((await child.exit).code, 0);
  });

  it('is not taken over by a process that gets its pid', async (t) => {
    if (!requireRoot(t)) return;
    const first = cat();
    const identity = identifyProcess(first.pid) as ProcessIdentity;
    // The start time counts in hundredths of a second.
    await pause(30);
    first.kill('SIGKILL');
    await first.exit;
    // The next process gets the number after this one; others on the machine may be quicker.
    for (let tries = 0; tries < 200; tries++) {
      writeFileSync('/proc/sys/kernel/ns_last_pid', String(identity.pid - 1));
      const next = cat();
      try {
        if (next.pid !== identity.pid) continue;
        assert.equal(isAlive(identity), false);
        assert.equal(signalProcess(identity, 'SIGKILL'), false);
        const other = identifyProcess(next.pid) as ProcessIdentity;
        assert.notEqual(other.startTime, identity.startTime);
        assert.equal(isAlive(other), true, 'it was not signalled');
        return;
      } finally {
        next.kill('SIGKILL');
        await next.exit;
      }
    }
    assert.fail(`no process got pid ${identity.pid} again`);
  });
});

describe('the boot id', () => {
  it('is the id of this boot, or of the one that a test makes up', (t) => {
    assert.match(bootId(), /^[0-9a-f-]{36}$/);
    const path = join(tempDir(t), 'boot');
    writeFileSync(path, 'other\n');
    assert.equal(bootId(path), 'other');
    assert.notEqual(bootId(), 'other');
  });
});

it('the first process of a pid namespace is ending for as long as another one in there is not waited for', async (t) => {
  if (!requireRoot(t) || !requireBinary(t, 'unshare') || !requireBinary(t, 'nsenter')) return;
  const until = async (work: () => boolean): Promise<void> => {
    for (const endsAt = Date.now() + 10_000; !work(); ) {
      assert.ok(Date.now() < endsAt, String(work));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const childOf = async (pid: number): Promise<ProcessIdentity> => {
    const read = () => readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim();
    await until(() => read() !== '');
    return identifyProcess(Number(read())) as ProcessIdentity;
  };
  const outer = spawn('unshare', ['--pid', '--fork', 'sleep', '100'], { stdio: 'ignore' });
  t.after(() => outer.kill('SIGKILL'));
  const init = await childOf(outer.pid as number);
  const guest = spawn('nsenter', ['--target', String(init.pid), '--pid', 'sleep', '100'], { stdio: 'ignore' });
  t.after(() => guest.kill('SIGKILL'));
  await childOf(guest.pid as number);
  assert.deepEqual([isAlive(init), isEnding(init)], [true, false]);
  guest.kill('SIGSTOP');
  process.kill(init.pid, 'SIGKILL');
  await until(() => isEnding(init));
  assert.equal(isAlive(init), true);
  guest.kill('SIGCONT');
  await until(() => !isAlive(init));
  assert.equal(isEnding(init), true);
});
