import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { arch, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Engine, EngineError } from 'caisson';
import { mknod } from '#src/os/syscalls/index.js';
import { openRootfsReader } from '#src/spec/index.js';
import { withEngine } from '#support/engine-bed.js';
import { importHostile } from '#support/hostile-image.js';
import { requireBinary } from '#support/require.js';
import { tempDir } from '#support/roots.js';

const REFERENCE = 'test/hostile';

/** Each way in which an image is used; gives the error of each, or what `cat /etc/hosts` in it said. */
async function useImage(engine: Engine, options: { user?: string } = {}): Promise<Record<string, string>> {
  const seen: Record<string, string> = {};
  const attempt = async (name: string, work: () => Promise<string>): Promise<void> => {
    seen[name] = await work().catch((error: unknown) => {
      assert.ok(EngineError.is(error), `${name}: ${error instanceof Error ? error.stack : error}`);
      return error.reason;
    });
  };
  const command = ['/bin/busybox', 'cat', '/etc/hosts'];
  await attempt('run', async () => (await engine.run(REFERENCE, command, options)).stdout);
  await attempt('durable', async () => {
    const container = await engine.containers.run({ image: REFERENCE, command, ...options });
    await container.wait();
    let out = '';
    for await (const entry of container.logs()) out += `${entry.data}\n`;
    await container.remove({ force: true });
    return out;
  });
  return seen;
}

/** A host directory that nothing may be written to, with a file that nobody may read. */
function victim(t: TestContext): { dir: string; unchanged: () => void } {
  const dir = mkdtempSync(join(tmpdir(), 'caisson-victim-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  writeFileSync(join(dir, 'hosts'), 'SECRET of the host\n');
  writeFileSync(join(dir, 'passwd'), 'root:x:0:0::/:\nuser:x:777:777::/:\n');
  const look = () =>
    execFileSync('sh', ['-c', 'find . -printf "%p %m %U %G %s %T@ %C@\\n" | sort'], { cwd: dir }).toString();
  const before = look();
  return { dir, unchanged: () => assert.equal(look(), before) };
}

test('an image whose /etc, /dev, /proc or /sys is a link or a file is refused and the host untouched', async (t) => {
  const { dir, unchanged } = victim(t);
  await withEngine(t, async ({ engine }) => {
    for (const name of ['etc', 'dev', 'proc', 'sys']) {
      for (const target of [dir, `../../../../../..${dir}`, '/proc', undefined]) {
        await importHostile(engine, REFERENCE, {
          tree: (upper) => (target ? symlinkSync(target, join(upper, name)) : writeFileSync(join(upper, name), 'x')),
        });
        const seen = await useImage(engine);
        assert.deepEqual(seen, { run: 'HOSTILE_ROOTFS', durable: 'HOSTILE_ROOTFS' }, `${name} -> ${target}`);
      }
    }
    unchanged();
  });
});

test('links, FIFOs and devices in the place of /etc/hosts and its like lead nowhere', async (t) => {
  const { dir, unchanged } = victim(t);
  const shapes: Record<string, (path: string) => void> = {
    'a link to the host': (path) => symlinkSync(`${dir}/hosts`, path),
    'a link that climbs': (path) => symlinkSync(`../../../../../../..${dir}/hosts`, path),
    'a link to /proc': (path) => symlinkSync('/proc/sys/kernel/core_pattern', path),
    'a FIFO': (path) => execFileSync('mkfifo', [path]),
    'a device': (path) => mknod(path, 0o20666, 1, 5),
    'a directory': (path) => mkdirSync(path),
    'a loop': (path) => symlinkSync('hosts', path),
  };
  const corePattern = readFileSync('/proc/sys/kernel/core_pattern', 'utf8');
  await withEngine(t, async ({ engine }) => {
    for (const [what, make] of Object.entries(shapes)) {
      await importHostile(engine, REFERENCE, {
        tree: (upper) => {
          mkdirSync(join(upper, 'etc'));
          for (const name of ['hosts', 'hostname', 'resolv.conf']) {
            if (what !== 'a loop' || name === 'hosts') make(join(upper, 'etc', name));
          }
        },
      });
      for (const [how, said] of Object.entries(await useImage(engine))) {
        assert.ok(said === 'BAD_MOUNT_TARGET' || /^127\.0\.0\.1\tlocalhost$/m.test(said), `${what}, ${how}: ${said}`);
        assert.doesNotMatch(said, /SECRET/);
      }
    }
    unchanged();
    assert.equal(readFileSync('/proc/sys/kernel/core_pattern', 'utf8'), corePattern);
  });
});

test('account files that block, flood or lead out are refused at run, start and exec', async (t) => {
  const { dir } = victim(t);
  const shapes: Record<string, (path: string) => void> = {
    'a FIFO': (path) => execFileSync('mkfifo', [path]),
    'an endless device': (path) => mknod(path, 0o20666, 1, 5),
    'a link to an endless device': (path) => symlinkSync('/dev/zero', path),
    '2 GiB of nothing': (path) => {
      writeFileSync(path, '');
      truncateSync(path, 2 ** 31);
    },
    'a link to the host': (path) => symlinkSync(`../../../../..${dir}/passwd`, path),
  };
  await withEngine(t, async ({ engine }) => {
    for (const [what, make] of Object.entries(shapes)) {
      if (what !== '2 GiB of nothing') {
        await importHostile(engine, REFERENCE, {
          tree: (upper) => {
            mkdirSync(join(upper, 'etc'));
            make(join(upper, 'etc/passwd'));
          },
        });
        for (const said of Object.values(await useImage(engine, { user: 'user' }))) {
          assert.match(said, /^(HOSTILE_ROOTFS|UNKNOWN_USER)$/, what);
        }
      }
      await importHostile(engine, REFERENCE, {});
      const box = await engine.containers.ephemeral({ image: REFERENCE, command: ['sleep', '60'] });
      await box.exec(['sh', '-c', script(what, dir)], { check: true });
      await assert.rejects(
        box.exec(['id'], { user: 'user', timeoutMs: 5000 }),
        (error) => EngineError.is(error) && /^(HOSTILE_ROOTFS|UNKNOWN_USER)$/.test(error.reason),
        what,
      );
      await box[Symbol.asyncDispose]();
    }
  });
  function script(what: string, host: string): string {
    const path = '/etc/passwd';
    if (what === 'a FIFO') return `rm ${path}; mkfifo ${path}`;
    if (what === 'an endless device') return `rm ${path}; mknod ${path} c 1 5`;
    if (what === 'a link to an endless device') return `ln -sf /dev/zero ${path}`;
    if (what === '2 GiB of nothing') return `truncate -s 2147483648 ${path}`;
    return `ln -sf ../../../../..${host}/passwd ${path}`;
  }
});

test('what a container writes into its own account files counts for no other container of the image', async (t) => {
  await withEngine(t, async ({ engine, root, runDir }) => {
    await importHostile(engine, REFERENCE, {});
    const evil = await engine.containers.create({ image: REFERENCE, user: 'alice', command: ['sleep', '60'] });
    await evil.start();
    await evil.exec(['sed', '-i', 's/1000:1000/0:0/', '/etc/passwd'], { user: 'root', check: true });
    await evil.stop({ timeoutMs: 0 });
    // An engine that has not looked into the image yet.
    await using other = await Engine.open({ root, runDir, defaultRuntime: 'runc' });
    const again = await other.containers.get(evil.id);
    await again.start();
    const { stdout } = await other.run(REFERENCE, ['id', '-u'], { user: 'alice' });
    assert.equal(stdout, '1000\n');
    await again.remove({ force: true });
  });
});

test('a working directory of an image or exec never leads to the host', async (t) => {
  await withEngine(t, async ({ engine }) => {
    for (let fd = 3; fd <= 12; fd++) {
      await importHostile(engine, REFERENCE, { config: { WorkingDir: `/proc/self/fd/${fd}`, Cmd: ['pwd'] } });
      await assert.rejects(engine.run(REFERENCE), { reason: 'BAD_WORKING_DIR' });
    }
    for (const WorkingDir of ['/proc', '/sys/x', '/a/../../proc/1', 'relative', '/a/link', '/out', '/up']) {
      await importHostile(engine, REFERENCE, {
        config: { WorkingDir, Cmd: ['pwd'] },
        tree: (upper) => {
          mkdirSync(join(upper, 'a'));
          symlinkSync('/proc/self/fd/7', join(upper, 'a/link'));
          symlinkSync('/proc/self/cwd', join(upper, 'out'));
          symlinkSync('../../../..', join(upper, 'up'));
        },
      });
      await assert.rejects(engine.run(REFERENCE), { reason: 'BAD_WORKING_DIR' }, WorkingDir);
    }
    // In a running container the links come after the check: the runtime must see to it.
    await importHostile(engine, REFERENCE, {});
    const container = await engine.containers.run({ image: REFERENCE, command: ['sleep', '60'], workingDir: '/work' });
    for (let fd = 3; fd <= 12; fd++) {
      await container.exec(['sh', '-c', `cd /; rm -rf /work; ln -s /proc/self/fd/${fd} /work; ln -sfn /work /x`], {
        check: true,
        workingDir: '/',
      });
      for (const workingDir of [undefined, '/x']) {
        const result = await container
          .exec(
            ['/bin/busybox', 'ls', '-d', '../../../../../../../../etc/debian_version', '.'],
            workingDir ? { workingDir } : {},
          )
          .catch((error: unknown) => error as EngineError);
        if (EngineError.is(result)) assert.match(result.reason, /BAD_WORKING_DIR|RUNTIME_FAILED/);
        else assert.ok(!(result as { stdout: string }).stdout.includes('debian_version'), `fd ${fd} leads to the host`);
      }
    }
    await assert.rejects(container.exec(['pwd'], { workingDir: '/proc/self/fd/7' }), { reason: 'BAD_WORKING_DIR' });
    await container.remove({ force: true });
  });
});

test('labels and annotations of an image steer nothing', async (t) => {
  const keys = [
    'io.containerd.runc.v2.group',
    'io.kubernetes.cri.sandbox-id',
    'run.oci.handler',
    'run.oci.hooks.stderr',
    'run.oci.seccomp.receiver',
    'run.oci.seccomp_bpf_data',
    'module.wasm.image/variant',
    'org.criu.config',
    'org.systemd.property.ExecStart',
    'io.podman.annotations.privileged',
    'caisson.seccomp',
    'caisson.restart',
    'org.opencontainers.image.title',
    '__proto__',
    'constructor',
    'exitCode',
    'ephemeral',
  ];
  // JSON.parse makes `__proto__` an own key, which a literal would not.
  const labels = JSON.parse(`{${keys.map((key) => `${JSON.stringify(key)}:"../../x"`).join()}}`) as Record<
    string,
    string
  >;
  await withEngine(t, async ({ engine, runDir }) => {
    await importHostile(engine, REFERENCE, {});
    const specOf = async (): Promise<string> => {
      const box = await engine.containers.run({
        image: REFERENCE,
        command: ['sleep', '60'],
        name: 'fixed',
        hostname: 'h',
      });
      const text = readFileSync(`${runDir}/containers/${box.id}/config.json`, 'utf8').replaceAll(box.id, 'ID');
      await box.remove({ force: true });
      return text;
    };
    const plain = await specOf();
    await importHostile(engine, REFERENCE, {
      annotations: labels,
      config: { Labels: labels },
    });
    assert.equal(await specOf(), plain);
    assert.equal(({} as Record<string, unknown>)['../../x'], undefined);
    const { labels: kept } = (await engine.images.inspect(REFERENCE)).config;
    for (const key of keys) assert.equal(kept.get(key), '../../x', key);
  });
});

test('malformed entries of an image config neither reach the host nor stop the container for good', async (t) => {
  await withEngine(t, async ({ engine }) => {
    process.env['CAISSON_SECRET'] = 'of-the-host';
    t.after(() => delete process.env['CAISSON_SECRET']);
    await importHostile(engine, REFERENCE, { config: { Env: ['CAISSON_SECRET', 'PATH', '*', '=x', 'HOME', 'A=1'] } });
    const { stdout } = await engine.run(REFERENCE, ['cat', '/proc/self/environ']);
    assert.doesNotMatch(stdout, /of-the-host/);
    const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
    assert.deepEqual(
      stdout.split('\0').filter((entry) => !entry.startsWith('HOSTNAME=')),
      [path, 'HOME=/root', 'A=1', ''],
    );
    await assert.rejects(importHostile(engine, 'test/nul', { config: { Env: ['A\0B=1'] } }), {
      reason: 'BAD_MANIFEST',
    });
    for (const User of ['4294967296', '2147483648', '99999999999', '-1', '0:4294967296', '+0']) {
      await importHostile(engine, REFERENCE, {
        config: { User },
        tree: (upper) => {
          mkdirSync(join(upper, 'etc'));
          const names = ['4294967296', '2147483648', '99999999999', '-1', '+0'];
          writeFileSync(join(upper, 'etc/passwd'), names.map((name) => `${name}:x:0:0::/:\n`).join(''));
        },
      });
      const said = await engine.run(REFERENCE, ['id', '-u']).then(
        ({ stdout: out }) => out,
        (error) => error.reason,
      );
      assert.equal(said, 'BAD_USER', User);
    }
    for (const StopSignal of ['JUNK', '0', '999', '-9', 'SIGTERM; rm', '\u001b[2J', 'SIGRTMIN+99']) {
      await importHostile(engine, REFERENCE, { config: { StopSignal } });
      const container = await engine.containers.run({ image: REFERENCE, command: ['sleep', '60'] });
      await container.stop({ timeoutMs: 50 });
      assert.equal((await container.inspect()).status, 'exited', StopSignal);
      await container.remove();
    }
  });
});

test('an entrypoint that is the runtime itself changes no runtime', async (t) => {
  await withEngine(t, async ({ engine }) => {
    const runtime = execFileSync('sh', ['-c', 'readlink -f "$(command -v runc)"'], { encoding: 'utf8' }).trim();
    const sum = () => execFileSync('sha256sum', [runtime], { encoding: 'utf8' });
    const before = sum();
    await importHostile(engine, REFERENCE, {
      tree: (upper) => {
        writeFileSync(join(upper, 'self'), '#!/proc/self/exe\n', { mode: 0o755 });
        mkdirSync(join(upper, 'bin'));
        // Waits for a runtime that comes in and tries to write to its file through /proc.
        const loop =
          'while :; do for p in /proc/[0-9]*; do (echo x >>$p/exe) 2>/dev/null && echo wrote >>/wrote; done; done';
        writeFileSync(join(upper, 'bin/race'), `#!/bin/sh\n${loop}\n`, { mode: 0o755 });
      },
    });
    for (const command of [['/self'], ['/proc/self/exe'], ['/proc/self/exe', 'init']]) {
      await engine.run(REFERENCE, command, { timeoutMs: 5000 }).catch(() => {});
    }
    const box = await engine.containers.ephemeral({ image: REFERENCE, command: ['/bin/race'] });
    for (let i = 0; i < 5; i++) await box.exec(['/self'], { timeoutMs: 5000 }).catch(() => {});
    for (let i = 0; i < 5; i++) await box.exec(['true']);
    await box[Symbol.asyncDispose]();
    assert.equal(sum(), before);
    assert.ok(!readdirSync('/').includes('wrote'));
  });
});

test('files that are exchanged while they are looked up are never read outside the root', async (t) => {
  const perl = requireBinary(t, 'perl');
  if (perl === undefined || arch() !== 'x64') return t.skip('missing: perl on x86-64');
  const { dir } = victim(t);
  const root = tempDir(t);
  mkdirSync(join(root, 'etc'));
  writeFileSync(join(root, 'etc/passwd'), 'inside');
  symlinkSync(dir, join(root, 'evil'));
  // renameat2(RENAME_EXCHANGE), as fast as it goes: a container can do the same.
  const script = 'chdir shift; $a="etc"; $b="evil"; syscall(316,-100,$a,-100,$b,2) while 1';
  const racer = spawn(perl, ['-e', script, root], { stdio: 'ignore' });
  const raced = once(racer, 'exit');
  const reader = openRootfsReader(root);
  const seen = new Set<string>();
  const endsAt = Date.now() + 2_000;
  try {
    while (Date.now() < endsAt) {
      try {
        seen.add(String(reader.readFile('/etc/passwd', 1 << 20)));
      } catch (error) {
        assert.ok(EngineError.is(error, undefined, 'HOSTILE_ROOTFS'), String(error));
      }
    }
  } finally {
    // Here, and not in a hook: the hook that removes the directory comes first and would race with it.
    racer.kill('SIGKILL');
    await raced;
  }
  assert.deepEqual([...seen].sort(), ['inside', 'undefined']);
});
