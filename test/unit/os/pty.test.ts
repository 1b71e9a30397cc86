import assert from 'node:assert/strict';
import { closeSync, readFileSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { ReadStream } from 'node:tty';
import { spawnChild } from '#src/os/spawn.js';
import { errnoOf, openPty, setTerminalSize } from '#src/os/syscalls/index.js';

/** A shell on a terminal of its own, and what the terminal has shown. */
function onTerminal(t: TestContext, script: string, size?: [number, number]) {
  const { masterFd, slavePath } = openPty();
  if (size) setTerminalSize(masterFd, ...size);
  const child = spawnChild({
    file: '/bin/sh',
    args: ['-c', script],
    env: { PATH: '/usr/bin:/bin' },
    stdout: 'null',
    stderr: 'null',
    newSession: true,
    terminalPath: slavePath,
  });
  const master = new ReadStream(masterFd);
  let shown = '';
  const ended = new Promise<void>((resolve) => master.on('close', () => resolve()));
  master.on('error', () => master.destroy());
  master.on('data', (chunk) => {
    shown += chunk;
  });
  t.after(() => {
    master.destroy();
    child.kill('SIGKILL');
  });
  const until = async (text: string) => {
    while (!shown.includes(text)) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  return { child, master, masterFd, slavePath, ended, until, shown: () => shown };
}

describe('a pseudo terminal', () => {
  it('becomes the controlling one of a new session, with its size', async (t) => {
    const terminal = onTerminal(t, 'tty; stty size; cat /proc/$$/stat', [33, 101]);
    assert.deepEqual(await terminal.child.exit, { code: 0, signal: null });
    await terminal.ended;
    const [tty, size, stat = ''] = terminal.shown().split('\r\n');
    assert.equal(tty, terminal.slavePath);
    assert.equal(size, '33 101');
    const [, , group, session, device, foreground] = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const { pid } = terminal.child;
    assert.deepEqual([group, session, foreground], [pid, pid, pid]);
    assert.notEqual(device, 0, 'a controlling terminal');
  });

  it('turns Ctrl-C into SIGINT for the child', { timeout: 10_000 }, async (t) => {
    const terminal = onTerminal(t, 'echo ready; exec sleep 60');
    await terminal.until('ready');
    (terminal.master as unknown as NodeJS.WritableStream).write('\x03');
    assert.deepEqual(await terminal.child.exit, { code: null, signal: 2 });
  });

  it('tells of a new size', { timeout: 10_000 }, async (t) => {
    const terminal = onTerminal(t, 'trap "stty size; exit 0" WINCH; echo ready; while :; do sleep 0.02; done');
    await terminal.until('ready');
    setTerminalSize(terminal.masterFd, 40, 120);
    assert.equal((await terminal.child.exit).code, 0);
    await terminal.ended;
    assert.match(terminal.shown(), /40 120/);
  });

  it('is ours alone, and no child inherits our end', () => {
    const one = openPty();
    const two = openPty();
    try {
      assert.notEqual(one.slavePath, two.slavePath);
      assert.match(one.slavePath, /^\/dev\/pts\/\d+$/);
      const info = readFileSync(`/proc/self/fdinfo/${one.masterFd}`, 'utf8');
      assert.ok(Number.parseInt(/flags:\s+(\d+)/.exec(info)?.[1] ?? '', 8) & 0o2000000);
    } finally {
      closeSync(one.masterFd);
      closeSync(two.masterFd);
    }
  });

  it('has a size that only terminals have', () => {
    assert.throws(
      () => setTerminalSize(9999, 1, 1),
      (error) => errnoOf(error) === 'EBADF',
    );
  });
});
