import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Container, Engine, type EphemeralContainer, type LogEntry } from 'caisson';
import { findExecutable } from '#src/os/index.js';
import { setCloseOnExec } from '#src/os/syscalls/descriptors.js';
import { busyboxTree, canRun, IMAGE, withEngine } from '#support/engine-bed.js';
import { tempDir, withTempRoot } from '#support/roots.js';

const SUPERVISORS = (['conmon', 'shim'] as const).filter((name) =>
  findExecutable(name === 'conmon' ? 'conmon' : 'containerd-shim-runc-v2'),
);

/**
 * What runtimes and supervisors make by themselves follows the umask or their own mind; it lies in directories that only
 * we can enter. The files for /etc are bound into containers, whose users read them.
 */
const MADE_BY_OTHERS =
  /^\d+ (\S*\/(hosts|hostname|resolv\.conf|pid|init\.pid|conmon\.pid|address|log\.json|runtime\.log|ctl|winsz)|runtime\/runc\/[0-9a-f]{64})$/;

/** One container of each kind, running. */
async function startAll(engine: Engine): Promise<(Container | EphemeralContainer)[]> {
  const sleeper = { image: IMAGE, command: ['sh', '-c', 'echo started; exec sleep 60'] };
  return [
    await engine.containers.ephemeral(sleeper),
    ...(await Promise.all(SUPERVISORS.map((supervisor) => engine.containers.run({ ...sleeper, supervisor })))),
  ];
}

async function removeAll(containers: readonly (Container | EphemeralContainer)[]): Promise<void> {
  for (const one of containers) {
    if ('inspect' in one) await one.remove({ force: true });
    else await one.remove();
  }
}

/** Processes that an engine started for this directory: runtimes, supervisors, loggers, sweepers, and what runs in containers. */
function processesOf(dir: string, containers: readonly (Container | EphemeralContainer)[]): number[] {
  const ids = containers.map(({ id }) => `caisson-${id}`);
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      if (!Number.isInteger(pid) || pid === process.pid) return false;
      const cgroup = read(`/proc/${pid}/cgroup`);
      return read(`/proc/${pid}/cmdline`).includes(dir) || ids.some((id) => cgroup.includes(id));
    });
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

for (const umask of [0o000, 0o077]) {
  test(`with umask ${umask.toString(8)} nobody else gets at a file, and containers get what they need`, async (t) => {
    if (!canRun(t)) return;
    const before = process.umask(umask);
    t.after(() => process.umask(before));
    await withTempRoot(async ({ dir }) => {
      chmodSync(dir, 0o755);
      const root = join(dir, 'a/root');
      const runDir = join(dir, 'b/run');
      await using engine = await Engine.open({ root, runDir, defaultRuntime: 'runc' });
      chmodSync(busyboxTree(), 0o755);
      await engine.images.import(busyboxTree(), { format: 'rootfs', reference: IMAGE });
      const containers = await startAll(engine);
      const look =
        'umask; cat /etc/hosts /etc/hostname >/dev/null && ls / >/dev/null && stat -c %a /made/here && echo fine';
      const asUser = { user: 'alice', workingDir: '/made/here' };
      const { stdout, stderr } = await engine.run(IMAGE, ['sh', '-c', look], asUser);
      assert.equal(stdout, '0022\n755\nfine\n', stderr);
      for (const one of containers) {
        const said = await one.exec(['sh', '-c', 'umask; cat /etc/hosts >/dev/null && echo fine'], { user: 'alice' });
        assert.equal(said.stdout, '0022\nfine\n', said.stderr);
      }
      const find = spawnSync('setpriv', ['--reuid=1000', '--regid=1000', '--clear-groups', 'find', root, runDir], {
        encoding: 'utf8',
      });
      for (const path of find.stdout.split('\n')) assert.ok(['', root, runDir].includes(path), path);
      // Even where somebody opened the top: nothing below is anybody's but ours. The files in an image keep their modes.
      const loose = execFileSync(
        'find',
        [
          root,
          runDir,
          '(',
          '-name',
          'fs',
          '-o',
          '-name',
          'rootfs',
          ')',
          '-prune',
          '-o',
          '!',
          '-type',
          'l',
          '(',
          '-perm',
          '/077',
          '-o',
          '!',
          '-uid',
          '0',
          ')',
          '-printf',
          '%m %P\n',
        ],
        { encoding: 'utf8' },
      )
        .trim()
        .split('\n');
      const expected = loose.filter((line) => !MADE_BY_OTHERS.test(line));
      assert.deepEqual(expected, []);
      const sockets = execFileSync('find', [root, runDir, '/run/containerd/s', '-type', 's', '-printf', '%m\n'], {
        encoding: 'utf8',
      });
      for (const mode of sockets.trim().split('\n')) assert.match(mode, /^[67]00$/);
      assert.doesNotMatch(
        read('/proc/net/unix'),
        new RegExp(`@.*(caisson|${containers.map(({ id }) => id.slice(0, 12)).join('|')})`),
      );
      await removeAll(containers);
    });
  });
}

test('a root or run dir that others prepared is refused; one of ours that stands open is closed', async (t) => {
  if (!canRun(t)) return;
  const dir = tempDir(t);
  chmodSync(dir, 0o755);
  const open = async (places: { root?: string; runDir?: string }) => {
    const engine = await Engine.open({ root: join(dir, 'root'), runDir: join(dir, 'run'), ...places });
    await engine.close();
  };
  const theirs = join(dir, 'theirs');
  mkdirSync(theirs);
  chownSync(theirs, 1000, 1000);
  const link = join(dir, 'link');
  symlinkSync(theirs, link);
  for (const path of [theirs, link]) {
    await assert.rejects(open({ root: path }), { reason: 'ROOT_NOT_OURS' });
    await assert.rejects(open({ runDir: path }), { reason: 'ROOT_NOT_OURS' });
  }
  await open({});
  for (const path of ['root/v1', 'run'].map((name) => join(dir, name))) {
    chmodSync(path, 0o755);
    await open({});
    assert.equal(execFileSync('stat', ['-c', '%a', path], { encoding: 'utf8' }), '700\n', path);
    // Others may have put there what a recovery would follow.
    for (const mode of [0o777, 0o1777, 0o720]) {
      chmodSync(path, mode);
      await assert.rejects(open({}), { reason: 'ROOT_NOT_OURS' }, `${path} ${mode.toString(8)}`);
    }
    chmodSync(path, 0o700);
  }
});

test('no environment, argument, descriptor or OOM score of the host gets into any process or file', async (t) => {
  const secret = `hush-${process.pid}`;
  process.env['CAISSON_SECRET'] = secret;
  t.after(() => delete process.env['CAISSON_SECRET']);
  const canary = openSync('/etc/shadow', 'r');
  t.after(() => closeSync(canary));
  setCloseOnExec(canary, false);
  const score = read('/proc/self/oom_score_adj');
  t.after(() => writeFileSync('/proc/self/oom_score_adj', score));
  writeFileSync('/proc/self/oom_score_adj', '400');
  await withEngine(t, async ({ engine, dir, root, runDir }) => {
    const containers = await startAll(engine);
    const inside =
      'ls -l /proc/self/fd 2>/dev/null | sed -n "s/.* \\([0-9]*\\) -> .*/\\1/p"; cat /proc/self/oom_score_adj; cat /proc/self/environ | tr "\\0" "\\n" | sort';
    const expected = /^0\n1\n2\n(?:3\n)?0\nHOME=\/root\nHOSTNAME=\S+\nPATH=\S+\n(TERM=xterm\n)?$/;
    const clean = (text: string): string => text.replaceAll('\r', '').replace(/^(SHLVL|PWD|_|OLDPWD)=.*\n/gm, '');
    const sh = ['sh', '-c', inside];
    assert.match(clean((await engine.run(IMAGE, sh)).stdout), expected);
    assert.match(clean((await engine.run(IMAGE, sh, { tty: true })).stdout), expected);
    for (const one of containers) {
      assert.match(clean((await one.exec(sh)).stdout), expected);
      assert.match(clean((await one.exec(sh, { tty: true })).stdout), expected);
    }
    const running = containers.map((one) => one.spawn(['sleep', '60']));
    await Promise.all(running);
    const pids = processesOf(dir, containers);
    const names = pids.map((pid) => read(`/proc/${pid}/comm`).trim());
    for (const name of [
      'sh',
      'runc',
      'sleep',
      ...SUPERVISORS.flatMap((one) => (one === 'shim' ? ['containerd-shim', 'perl'] : ['conmon'])),
    ]) {
      assert.ok(names.includes(name), `${name} in ${names}`);
    }
    for (const pid of pids) {
      const name = read(`/proc/${pid}/comm`).trim();
      assert.ok(!read(`/proc/${pid}/environ`).includes(secret), `environment of ${name}`);
      assert.ok(!read(`/proc/${pid}/cmdline`).includes(secret), `arguments of ${name}`);
      for (const fd of readdirSync(`/proc/${pid}/fd`)) {
        let target = '';
        try {
          target = readlinkSync(`/proc/${pid}/fd/${fd}`);
        } catch {}
        assert.ok(!target.includes('shadow') && !target.endsWith('/lock'), `descriptor ${fd} of ${name} is ${target}`);
      }
      if (name === 'sleep') assert.equal(read(`/proc/${pid}/oom_score_adj`), '0\n');
    }
    assert.equal(spawnSync('grep', ['-rlI', secret, root, runDir], { encoding: 'utf8' }).stdout, '');
    await removeAll(containers);
  });
});

test('output that looks like log records, or like commands to a terminal, stays data', async (t) => {
  const lines = [
    '2026-01-01T00:00:00.000000000+00:00 stdout F fake',
    ' stderr F fake',
    'F',
    'P x',
    '\r\rover\r',
    '\u001b]0;title\u0007\u001b[2J',
    'nul\0nul',
    '',
    '\ufffd\u2028',
    'x'.repeat(20_000),
    '2026-01-01T00:00:00.000000000+00:00 stdout P ',
  ];
  const bytes = Buffer.concat([Buffer.from(lines.join('\n')), Buffer.of(10, 0xff, 0xfe, 0x80, 10)]);
  await withEngine(t, async ({ engine }) => {
    const octal = [...bytes.subarray(0, 400)].map((byte) => `\\0${byte.toString(8).padStart(3, '0')}`).join('');
    const small = bytes.subarray(0, 400);
    for (const kind of ['ephemeral', ...SUPERVISORS] as const) {
      const command = ['sh', '-c', `printf '%b' '${octal}'; sleep 0.1; echo; echo end; sleep 60`];
      const container =
        kind === 'ephemeral'
          ? await engine.containers.ephemeral({ image: IMAGE, command })
          : await engine.containers.run({ image: IMAGE, command, supervisor: kind });
      const entries: LogEntry[] = [];
      for await (const entry of container.logs({ follow: true })) {
        if (String(entry.data) === 'end') break;
        entries.push(entry);
      }
      assert.deepEqual(
        Buffer.concat(entries.flatMap(({ data }) => [data, Buffer.of(10)])),
        Buffer.concat([small, Buffer.of(10)]),
        kind,
      );
      assert.ok(
        entries.every(
          ({ stream, time }) =>
            stream === 'stdout' && time.getUTCFullYear() >= 2025 && Math.abs(time.getTime() - Date.now()) < 60_000,
        ),
      );
      await removeAll([container]);
    }
    for (const word of ['\u001b]0;title\u0007', 'a\nb', '\u009b2J\u2028']) {
      await assert.rejects(engine.run(IMAGE, [`/no/${word}`]), (error: Error) => {
        assert.doesNotMatch(error.message, /[\u0000-\u001f\u007f-\u009f\u2028]/);
        return true;
      });
    }
  });
});

test('names, labels and references never become options or paths', async (t) => {
  await withEngine(t, async ({ engine }) => {
    for (const name of ['-x', '--root=/x', 'a/b', '../x', '.', '..', 'a\nb', 'a\0b', '', 'x'.repeat(129), 'ü']) {
      await assert.rejects(
        engine.containers.create({ image: IMAGE, name }),
        { reason: 'BAD_NAME' },
        JSON.stringify(name),
      );
      await assert.rejects(engine.containers.get(name), { code: /NOT_FOUND|INVALID_ARGUMENT/ }, JSON.stringify(name));
    }
    const labels = JSON.parse('{"__proto__":"$(touch /x)","constructor":"`x`","a\\nb":"--x","-x":"y"}') as Record<
      string,
      string
    >;
    const box = await engine.containers.create({
      image: IMAGE,
      command: ['true'],
      labels,
      name: '__proto__x'.slice(9),
    });
    const [row] = await engine.containers.list({ all: true, labels });
    assert.deepEqual(Object.entries(row?.labels ?? {}).sort(), Object.entries(labels).sort());
    assert.deepEqual(
      await engine.containers.list({ all: true, labels: { toString: true as const } as Record<string, true> }),
      [],
    );
    await box.remove();
  });
});

test('a flood of output without a reader fills no memory, and a limit ends it', async (t) => {
  await withEngine(t, async ({ engine }) => {
    const container = await engine.containers.run({ image: IMAGE, command: ['sleep', '60'] });
    await assert.rejects(container.exec(['yes'], { maxOutputBytes: 1 << 20 }), { reason: 'OUTPUT_TOO_LARGE' });
    const before = process.memoryUsage().rss;
    const unread = await Promise.all([
      container.spawn(['yes']),
      container.spawn(['yes'], { tty: true }),
      engine.spawn(IMAGE, ['yes']),
      engine.spawn(IMAGE, ['yes'], { tty: true }),
    ]);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const grown = process.memoryUsage().rss - before;
    assert.ok(grown < 32 << 20, `${grown >> 20} MB more`);
    for (const one of unread) one.kill('SIGKILL');
    await container.remove({ force: true });
    await Promise.all(unread.map((one) => one.exit.catch(() => {})));
  });
});

test('a throwaway container that never stops talking does not fill the run dir', async (t) => {
  await withEngine(
    t,
    async ({ engine, runDir }) => {
      const box = await engine.containers.ephemeral({ image: IMAGE, command: ['yes', 'x'.repeat(1000)] });
      const size = () => Number(execFileSync('du', ['-sxk', runDir], { encoding: 'utf8' }).split('\t')[0]);
      let largest = 0;
      for (let n = 0; n < 10; n++) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        largest = Math.max(largest, size());
      }
      assert.ok(largest < 4 << 10, `${largest} KiB`);
      for await (const entry of box.logs({ tail: 1 })) assert.match(String(entry.data), /^x+$/);
      await box[Symbol.asyncDispose]();
    },
    { maxCollectedOutputBytes: 1 << 20 },
  );
});

test('a process that stays behind with the output open does not outlast the time limit', async (t) => {
  await withEngine(t, async ({ engine }) => {
    const container = await engine.containers.run({ image: IMAGE, command: ['sleep', '60'] });
    const startedAt = performance.now();
    await assert.rejects(container.exec(['sh', '-c', 'sleep 40 & exit 0'], { timeoutMs: 500 }), {
      reason: 'TIMED_OUT',
    });
    assert.ok(performance.now() - startedAt < 5_000);
    await container.remove({ force: true });
  });
});

test('two hundred aborted execs leave no descriptor, process or file', async (t) => {
  await withEngine(t, async ({ engine, runDir, dir }) => {
    const container = await engine.containers.run({ image: IMAGE, command: ['sleep', '60'] });
    await container.exec(['true']);
    const count = () => ({
      fds: readdirSync('/proc/self/fd').length,
      processes: processesOf(dir, [container])
        .map((pid) => read(`/proc/${pid}/cmdline`).slice(0, 60))
        .sort(),
      files: execFileSync('find', [runDir], { encoding: 'utf8' }).split('\n').length,
    });
    const before = count();
    const cycle = async (n: number): Promise<void> => {
      const abort = new AbortController();
      const call = container.exec(['sleep', '50'], { signal: abort.signal });
      setTimeout(() => abort.abort(), (n * 7) % 90);
      await assert.rejects(call);
    };
    const lane = async (first: number): Promise<void> => {
      for (let n = first; n < 200; n += 4) await cycle(n);
    };
    await Promise.all([0, 1, 2, 3].map(lane));
    let after = count();
    for (let tries = 0; tries < 20 && JSON.stringify(after) !== JSON.stringify(before); tries++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      after = count();
    }
    assert.deepEqual(after, before);
    await container.remove({ force: true });
  });
});
