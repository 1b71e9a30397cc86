import assert from 'node:assert/strict';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { EngineError } from '#src/errors/index.js';
import type { Child } from '#src/os/child.js';
import { exitStatus, spawnChild } from '#src/os/spawn.js';
import { dupAbove, pipe2, setCloseOnExec } from '#src/os/syscalls/index.js';
import { PROJECT } from '#support/project.js';
import { tempDir } from '#support/roots.js';
import { run } from '#support/run.js';

const SH = '/bin/sh';
const NODE = process.execPath;
const PATH = '/usr/bin:/bin';

async function output(child: Child): Promise<string> {
  const [stdout] = await Promise.all([text(child.stdout as NonNullable<Child['stdout']>), child.exit]);
  return stdout;
}

const openFds = () => readdirSync('/proc/self/fd').length;

/** Status fields of a process, by name. */
function status(pid: number): Map<string, string> {
  const lines = readFileSync(`/proc/${pid}/status`, 'utf8').trim().split('\n');
  return new Map(lines.map((line) => line.split(':\t') as [string, string]));
}

/** Group, session, controlling terminal and its foreground group, from /proc/<pid>/stat. */
function stat(pid: number): { group: number; session: number; terminal: number } {
  const line = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const [, , group, session, terminal] = line.slice(line.lastIndexOf(')') + 2).split(' ');
  return { group: Number(group), session: Number(session), terminal: Number(terminal) };
}

async function fails(run: () => unknown, reason: string, errno: string): Promise<EngineError> {
  const before = openFds();
  let thrown: unknown;
  try {
    run();
  } catch (error) {
    thrown = error;
  }
  assert.ok(EngineError.is(thrown, undefined, reason), String(thrown));
  assert.equal(thrown.details['errno'], errno);
  assert.equal(openFds(), before, 'nothing stays open');
  return thrown;
}

describe('what a child gets', () => {
  it('is exactly the arguments, empty and odd ones too', async () => {
    const args = [
      '-e',
      'process.stdout.write(JSON.stringify(process.argv.slice(1)))',
      '--',
      '',
      ' a  b ',
      '$HOME',
      "'",
      'ü\n',
      '-x',
    ];
    const child = spawnChild({ file: NODE, args });
    assert.deepEqual(JSON.parse(await output(child)), args.slice(3));
  });

  it('is exactly the environment', async () => {
    process.env['CAISSON_LEAKED'] = 'yes';
    const env = { A: '1', EMPTY: '', 'with space': 'x=y', ['__proto__']: 'own', UNI: 'ü' };
    try {
      const child = spawnChild({ file: '/usr/bin/env', args: ['-0'], env });
      const lines = (await output(child)).split('\0').filter(Boolean);
      assert.deepEqual(lines, ['A=1', 'EMPTY=', 'with space=x=y', '__proto__=own', 'UNI=ü']);
      assert.equal(await output(spawnChild({ file: '/usr/bin/env', args: [] })), '');
    } finally {
      delete process.env['CAISSON_LEAKED'];
    }
  });

  it('is the working directory', async (t) => {
    const dir = join(tempDir(t), 'with space ü');
    mkdirSync(dir);
    assert.equal(await output(spawnChild({ file: '/bin/pwd', args: [], cwd: dir })), `${dir}\n`);
  });

  it('is /dev/null, a pipe or a descriptor for each of its streams', async (t) => {
    const links = spawnChild({
      file: SH,
      args: ['-c', 'readlink /proc/$$/fd/0; readlink /proc/$$/fd/2'],
      env: { PATH },
      stderr: 'null',
    });
    assert.equal(links.stdin, undefined);
    assert.equal(links.stderr, undefined);
    assert.equal(await output(links), '/dev/null\n/dev/null\n');

    const path = join(tempDir(t), 'out');
    writeFileSync(path, 'kept ');
    const fd = openSync(path, 'a');
    const toFile = spawnChild({
      file: SH,
      args: ['-c', 'cat; echo two >&2'],
      env: { PATH },
      stdin: 'pipe',
      stdout: fd,
      stderr: fd,
    });
    closeSync(fd);
    assert.equal(toFile.stdout, undefined);
    toFile.stdin?.end('one\n');
    assert.equal((await toFile.exit).code, 0);
    assert.equal(readFileSync(path, 'utf8'), 'kept one\ntwo\n');
  });

  it('keeps stdout and stderr apart', async () => {
    const child = spawnChild({ file: SH, args: ['-c', 'echo out; echo err >&2'], env: { PATH } });
    const both = await Promise.all([text(child.stdout as never), text(child.stderr as never), child.exit]);
    assert.deepEqual(both.slice(0, 2), ['out\n', 'err\n']);
  });

  it('is no other descriptor of ours, also not one that is open for children', async () => {
    const leaky = openSync('/etc/hostname', 'r');
    const high = dupAbove(leaky, 200);
    setCloseOnExec(leaky, false);
    setCloseOnExec(high, false);
    try {
      const list = { file: SH, args: ['-c', 'ls /proc/$$/fd; true'], env: { PATH } };
      assert.equal(await output(spawnChild({ ...list, exitWatch: 'poll' })), '0\n1\n2\n');
      assert.equal(await output(spawnChild(list)), '0\n1\n2\n3\n', '3 is the pipe that tells of the exit');
    } finally {
      closeSync(leaky);
      closeSync(high);
    }
  });

  it('is each extra descriptor at its place, whatever numbers ours have', async (t) => {
    const dir = tempDir(t);
    const fds = ['a', 'b', 'c', 'd'].map((name) => {
      writeFileSync(join(dir, name), name);
      return openSync(join(dir, name), 'r');
    });
    try {
      // Each order: with low numbers some of ours are in the place of others.
      for (const order of [
        fds,
        [...fds].reverse(),
        [fds[1], fds[0], fds[3], fds[2]] as number[],
        [fds[2], fds[2]] as number[],
      ]) {
        const names = order.map((fd) => 'abcd'[fds.indexOf(fd)]).join('');
        const script = order.map((_, n) => `readlink /proc/$$/fd/${n + 3}`).join(';');
        const seen = await output(spawnChild({ file: SH, args: ['-c', script], env: { PATH }, extraFds: order }));
        assert.equal(
          seen
            .trim()
            .split('\n')
            .map((path) => path.at(-1))
            .join(''),
          names,
        );
      }
    } finally {
      for (const fd of fds) closeSync(fd);
    }
  });

  it('has all signals at their default and none blocked', async () => {
    // Node itself ignores SIGPIPE.
    assert.notEqual(BigInt(`0x${status(process.pid).get('SigIgn')}`), 0n);
    const child = spawnChild({ file: '/bin/cat', args: ['/proc/self/status'] });
    const lines = (await output(child)).split('\n');
    for (const field of ['SigBlk', 'SigIgn', 'SigCgt']) {
      const value = lines.find((line) => line.startsWith(`${field}:`))?.split('\t')[1] ?? '';
      // 32 and 33 belong to the C library; it does not touch them.
      assert.equal(BigInt(`0x${value}`) & ~(3n << 31n), 0n, `${field} ${value}`);
    }
  });

  it('is the process group asked for', async () => {
    const same = spawnChild({ file: '/bin/cat', args: [], stdin: 'pipe' });
    const leader = spawnChild({ file: '/bin/cat', args: [], stdin: 'pipe', processGroup: 0 });
    const member = spawnChild({ file: '/bin/cat', args: [], stdin: 'pipe', processGroup: leader.pid });
    const session = spawnChild({ file: '/bin/cat', args: [], stdin: 'pipe', newSession: true });
    const own = stat(process.pid);
    assert.equal(stat(same.pid).group, own.group);
    assert.equal(stat(leader.pid).group, leader.pid);
    assert.equal(stat(member.pid).group, leader.pid);
    assert.equal(stat(member.pid).session, own.session);
    assert.deepEqual(stat(session.pid), { group: session.pid, session: session.pid, terminal: 0 });
    process.kill(-leader.pid, 'SIGKILL');
    assert.equal((await member.exit).signal, 9);
    assert.equal((await leader.exit).signal, 9);
    for (const child of [same, session]) child.stdin?.end();
    assert.equal((await same.exit).code, 0);
    assert.equal((await session.exit).code, 0);
  });
});

describe('what can not be started', () => {
  const start = (file: string, more: Partial<Parameters<typeof spawnChild>[0]> = {}) =>
    spawnChild({ file, args: [], ...more });

  it('throws a typed error and leaves nothing open', async (t) => {
    const dir = tempDir(t);
    writeFileSync(join(dir, 'plain'), '#!/bin/sh\n', { mode: 0o644 });
    writeFileSync(join(dir, 'empty'), 'no format', { mode: 0o755 });
    writeFileSync(join(dir, 'lost'), '#!/no/such/interpreter\n', { mode: 0o755 });
    const missing = await fails(() => start(join(dir, 'none')), 'SYSCALL_FAILED', 'ENOENT');
    assert.equal(missing.details['file'], join(dir, 'none'));
    await fails(() => start(join(dir, 'plain')), 'NOT_PERMITTED', 'EACCES');
    await fails(() => start(dir), 'NOT_PERMITTED', 'EACCES');
    await fails(() => start(join(dir, 'plain', 'below')), 'SYSCALL_FAILED', 'ENOTDIR');
    await fails(() => start(join(dir, 'empty')), 'SYSCALL_FAILED', 'ENOEXEC');
    await fails(() => start(join(dir, 'lost')), 'SYSCALL_FAILED', 'ENOENT');
    await fails(() => start('/bin/true', { cwd: join(dir, 'none') }), 'SYSCALL_FAILED', 'ENOENT');
    await fails(() => start('/bin/true', { processGroup: 1 }), 'NOT_PERMITTED', 'EPERM');
    await fails(() => start('/bin/true', { stdout: 9999 }), 'SYSCALL_FAILED', 'EBADF');
    await fails(() => start('/bin/true', { args: ['x'.repeat(200_000)] }), 'SYSCALL_FAILED', 'E2BIG');
    await fails(() => start('/bin/true', { args: Array(60_000).fill('x'.repeat(100)) }), 'SYSCALL_FAILED', 'E2BIG');
  });

  it('is what has a NUL in it: C would cut it there', async () => {
    await fails(() => start('/bin/true', { args: ['a\0b'] }), 'SYSCALL_FAILED', 'EINVAL');
    await fails(() => start('/bin/true', { env: { A: 'a\0b' } }), 'SYSCALL_FAILED', 'EINVAL');
    await fails(() => start('/bin/true\0x'), 'SYSCALL_FAILED', 'EINVAL');
    await fails(() => start('/bin/true', { cwd: '/\0x' }), 'SYSCALL_FAILED', 'EINVAL');
  });
});

describe('the end of a child', () => {
  for (const exitWatch of ['pipe', 'poll'] as const) {
    it(`is noticed with its code or signal (${exitWatch})`, async () => {
      const sh = (script: string) => spawnChild({ file: SH, args: ['-c', script], env: { PATH }, exitWatch });
      assert.deepEqual(await sh('exit 0').exit, { code: 0, signal: null });
      assert.deepEqual(await sh('exit 255').exit, { code: 255, signal: null });
      assert.deepEqual(await sh('kill -TERM $$').exit, { code: null, signal: constants.signals.SIGTERM });
      assert.deepEqual(await sh('ulimit -c 0; kill -SEGV $$').exit, { code: null, signal: constants.signals.SIGSEGV });
      const late = sh('sleep 0.06; exit 3');
      assert.deepEqual(await late.exit, { code: 3, signal: null });
    });

    it(`leaves no zombie, and a kill after it reaches nobody (${exitWatch})`, async () => {
      const child = spawnChild({ file: '/bin/cat', args: [], stdin: 'pipe', exitWatch });
      assert.equal(child.kill(0), true);
      assert.equal(child.kill(), true);
      assert.deepEqual(await child.exit, { code: null, signal: 15 });
      assert.throws(() => readFileSync(`/proc/${child.pid}/stat`), /ENOENT/);
      assert.equal(child.kill('SIGKILL'), false);
    });
  }

  it('is noticed when the child closed its end of the pipe before', async () => {
    const script = 'exec 3>&-; sleep 0.08; exit 7';
    const child = spawnChild({ file: SH, args: ['-c', script], env: { PATH }, stdout: 'null', stderr: 'null' });
    const startedAt = performance.now();
    assert.deepEqual(await child.exit, { code: 7, signal: null });
    assert.ok(performance.now() - startedAt >= 75, 'not before its end');
  });

  it('is noticed by poll while a daemon that it left holds its descriptors', async () => {
    const script = 'sleep 30 >/dev/null 2>&1 & echo $!';
    const child = spawnChild({ file: SH, args: ['-c', script], env: { PATH }, exitWatch: 'poll' });
    const daemon = Number(await output(child));
    assert.equal((await child.exit).code, 0);
    process.kill(daemon, 'SIGKILL');
  });

  it('is not mixed up among 200 children at once, and nothing stays open', async () => {
    const before = openFds();
    const children = Array.from({ length: 200 }, (_, n) =>
      spawnChild({ file: SH, args: ['-c', `echo ${n}; exit ${n}`], exitWatch: n % 4 === 0 ? 'poll' : 'pipe' }),
    );
    const ends = await Promise.all(
      children.map((child) => Promise.all([text(child.stdout as never), text(child.stderr as never), child.exit])),
    );
    ends.forEach(([stdout, stderr, exit], n) => {
      assert.deepEqual([stdout, stderr, exit], [`${n}\n`, '', { code: n, signal: null }]);
    });
    await new Promise(setImmediate);
    assert.ok(openFds() <= before, 'descriptors stay open');
    const alive = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ').map(Number);
    assert.deepEqual(
      children.filter((child) => alive.includes(child.pid)),
      [],
    );
  });

  it('keeps the host running until then, unless unref was called', async () => {
    const script = (tail: string) =>
      `import { spawnChild } from ${JSON.stringify(`${PROJECT}/dist/os/spawn.js`)};
       for (const exitWatch of ['pipe', 'poll']) {
         const child = spawnChild({ file: '/bin/sleep', args: ['0.3'], stdout: 'null', stderr: 'null', exitWatch });
         child.exit.then((exit) => console.log(exit.code));
         ${tail}
       }`;
    const host = (tail: string) => run(NODE, ['--input-type=module', '-e', script(tail)]);
    assert.deepEqual((await host('')).stdout, '0\n0\n');
    assert.deepEqual((await host('child.unref();')).stdout, '');
  });

  it('has the exit status that a shell would show', () => {
    assert.equal(exitStatus({ code: 3, signal: null }), 3);
    assert.equal(exitStatus({ code: 0, signal: null }), 0);
    assert.equal(exitStatus({ code: null, signal: 9 }), 137);
  });
});

describe('streams', () => {
  it('carry more than a pipe holds in both directions', async () => {
    const child = spawnChild({ file: '/bin/cat', args: [], stdin: 'pipe' });
    const big = 'x'.repeat(3 << 20);
    child.stdin?.end(big);
    assert.equal((await output(child)).length, big.length);
  });

  it('do not end the host when the child reads nothing', async () => {
    const child = spawnChild({ file: '/bin/true', args: [], stdin: 'pipe' });
    child.stdin?.write('x'.repeat(1 << 20));
    assert.equal((await child.exit).code, 0);
    child.stdin?.end('more');
  });

  it('come from the child alone: a pipe end of ours in it would never end', async () => {
    const { readFd, writeFd } = pipe2();
    const child = spawnChild({ file: '/bin/echo', args: ['hi'], stdout: writeFd });
    closeSync(writeFd);
    await child.exit;
    const buffer = Buffer.alloc(10);
    assert.equal(readSync(readFd, buffer), 3);
    assert.equal(readSync(readFd, buffer), 0, 'end of file');
    closeSync(readFd);
  });
});
