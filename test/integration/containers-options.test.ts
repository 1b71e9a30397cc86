import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Engine, RunOptions } from 'caisson';
import { busyboxTree, IMAGE, listing, rejectsWith, withEngine } from '#support/engine-bed.js';
import { findBinary } from '#support/require.js';

/** Output of a script, whose failure is ours. */
async function sh(engine: Engine, script: string, options: RunOptions = {}): Promise<string> {
  const result = await engine.run(IMAGE, ['sh', '-c', script], options);
  assert.equal(result.exitCode, 0, result.stderr);
  return result.stdout.trim();
}

describe('what options do to a container', () => {
  it('user, environment, working directory, hostname', (t) =>
    withEngine(t, async ({ engine }) => {
      const out = await sh(engine, 'id; pwd; hostname; echo "$A|$B|$HOME|$HOST_SECRET"; cat /etc/hostname', {
        user: 'alice',
        groups: [77],
        env: { A: 'x y', B: '' },
        workingDir: '/made/for/it',
        hostname: 'box',
      });
      assert.match(
        out,
        /^uid=1000\(alice\) gid=1000\(alice\) groups=50\(staff\),77,1000|^uid=1000\(alice\) gid=1000\(alice\) groups=/,
      );
      assert.match(out, /\n\/made\/for\/it\nbox\nx y\|\|\/home\/alice\|\nbox$/);
      assert.match(await sh(engine, 'id', { user: '1234:5678' }), /^uid=1234 gid=5678 groups=5678$/);
      assert.equal(await sh(engine, 'hostname', { utsMode: 'host' }), hostname());
      assert.equal(await sh(engine, 'echo $A', { env: ['A=1', 'A=2'] }), '2');
    }));

  it("entrypoint and command by Docker's rules", (t) =>
    withEngine(t, async ({ engine }) => {
      await engine.images.import(busyboxTree(), {
        format: 'rootfs',
        reference: 'test/entry',
        config: { entrypoint: ['echo', 'E'], cmd: ['C'], env: { FROM: 'image' }, workingDir: '/tmp', user: 'alice' },
      });
      const out = async (command: string[], options: RunOptions = {}): Promise<string> =>
        (await engine.run('test/entry', command, options)).stdout.trim();
      assert.equal(await out([]), 'E C');
      assert.equal(await out(['x']), 'E x');
      assert.equal(await out(['x'], { entrypoint: ['echo', 'N'] }), 'N x');
      assert.equal(await out([], { entrypoint: ['echo', 'N'] }), 'N');
      assert.equal(await out(['sh', '-c', 'id -un; pwd; echo $FROM'], { entrypoint: [] }), 'alice\n/tmp\nimage');
    }));

  it('read-only root, tmpfs, binds and mounts', (t) =>
    withEngine(t, async ({ engine, dir }) => {
      const source = join(dir, 'source');
      mkdirSync(source);
      writeFileSync(join(source, 'file'), 'from host\n');
      const script = `touch /x 2>/dev/null || echo "root is read-only"
        touch /scratch/x /var/x && echo "tmpfs is not"
        cat /ro/file; touch /ro/x 2>/dev/null || echo "bind is read-only"
        echo back > /rw/back; cat /single
        grep -E " (/scratch|/var) " /proc/mounts | cut -d" " -f2-4`;
      const out = await sh(engine, script, {
        readOnlyRootfs: true,
        tmpfs: { '/scratch': 'size=1m,mode=1777' },
        binds: [`${source}:/ro:ro`, `${source}:/rw`],
        mounts: [
          { type: 'bind', source: join(source, 'file'), target: '/single', readOnly: true },
          { type: 'tmpfs', target: '/var', sizeBytes: 2 << 20 },
        ],
      });
      assert.match(out, /^root is read-only\ntmpfs is not\nfrom host\nbind is read-only\nfrom host\n/);
      assert.match(out, /\/scratch tmpfs [^\n]*size=1024k/);
      assert.match(out, /\/var tmpfs [^\n]*size=2048k/);
      assert.equal(readFileSync(join(source, 'back'), 'utf8'), 'back\n');
    }));

  it('capabilities, privileged, seccomp, no new privileges', (t) =>
    withEngine(t, async ({ engine }) => {
      const status = async (options: RunOptions = {}): Promise<Record<string, string>> => {
        const lines = (await sh(engine, 'cat /proc/self/status', options)).split('\n');
        return Object.fromEntries(lines.map((line) => line.split(/:\s+/) as [string, string]));
      };
      const plain = await status();
      assert.equal(plain['CapEff'], '00000000a80425fb');
      assert.equal(plain['Seccomp'], '2');
      const changed = await status({
        capDrop: ['ALL'],
        capAdd: ['NET_RAW'],
        seccomp: 'unconfined',
        noNewPrivileges: true,
      });
      assert.deepEqual([changed['CapEff'], changed['Seccomp'], changed['NoNewPrivs']], ['0000000000002000', '0', '1']);
      const privileged = await status({ privileged: true });
      assert.equal(privileged['CapEff'], readFileSync('/proc/self/status', 'utf8').match(/CapBnd:\s+(\w+)/)?.[1]);
      assert.equal(
        await sh(engine, 'mount -t tmpfs x /mnt 2>/dev/null || mkdir /mnt && mount -t tmpfs x /mnt && echo done', {
          privileged: true,
        }),
        'done',
      );
      assert.equal((await engine.run(IMAGE, ['sh', '-c', 'mount -t tmpfs x /tmp'])).exitCode === 0, false);
    }));

  it('ulimits, sysctls, shm, oom score', (t) =>
    withEngine(t, async ({ engine }) => {
      const script =
        'ulimit -n; ulimit -Hn; cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/self/oom_score_adj; grep " /dev/shm " /proc/mounts';
      const out = await sh(engine, script, {
        ulimits: [{ name: 'nofile', soft: 77, hard: 99 }],
        sysctls: { 'net.ipv4.ip_unprivileged_port_start': '80' },
        shmSizeBytes: 1 << 20,
        oomScoreAdj: 123,
      });
      assert.match(out, /^77\n99\n80\n123\n.*size=1024k/);
    }));

  it('memory and process limits are in force', (t) =>
    withEngine(t, async ({ engine }) => {
      const container = await engine.containers.run({
        image: IMAGE,
        command: ['sh', '-c', 'x=a; while :; do x=$x$x; done'],
        memoryBytes: 16 << 20,
        memorySwapBytes: 16 << 20,
      });
      const exit = await container.wait();
      assert.deepEqual([exit.exitCode, exit.oomKilled], [137, true]);
      assert.equal((await container.inspect()).oomKilled, true);
      const forks = await engine.run(IMAGE, ['sh', '-c', 'for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait'], {
        pidsLimit: 4,
      });
      assert.match(forks.stderr, /can't fork|Resource temporarily unavailable/);
    }));

  it('network none and host', (t) =>
    withEngine(t, async ({ engine }) => {
      assert.equal(
        await sh(engine, 'ls /sys/class/net; ping -c 1 -W 1 127.0.0.1 | grep -c "1 packets received"'),
        'lo\n1',
      );
      const ours = readlinkSync('/proc/self/ns/net');
      assert.equal(await sh(engine, 'readlink /proc/self/ns/net', { network: 'host' }), ours);
      assert.notEqual(await sh(engine, 'readlink /proc/self/ns/net'), ours);
    }));

  it('pid and ipc of the host, of another container, throwaway or durable', (t) =>
    withEngine(t, async ({ engine }) => {
      assert.equal(await sh(engine, 'echo $$'), '1');
      assert.equal(
        await sh(engine, 'readlink /proc/self/ns/pid', { pidMode: 'host' }),
        readlinkSync('/proc/self/ns/pid'),
      );
      assert.equal(
        await sh(engine, 'readlink /proc/self/ns/ipc', { ipcMode: 'host' }),
        readlinkSync('/proc/self/ns/ipc'),
      );
      await using box = await engine.containers.ephemeral({ image: IMAGE, command: ['sleep', '1234'], name: 'box' });
      const durable = await engine.containers.run({ image: IMAGE, command: ['sleep', '4321'], name: 'lasting' });
      for (const [name, seconds] of [
        ['box', '1234'],
        [box.id, '1234'],
        ['lasting', '4321'],
        [durable.id.slice(0, 12), '4321'],
      ] as const) {
        const seen = await sh(engine, 'ps -o args', { pidMode: `container:${name}` });
        assert.match(seen, new RegExp(`sleep ${seconds}`));
      }
      const ipc = readlinkSync(`/proc/${box.pid}/ns/ipc`);
      assert.equal(await sh(engine, 'readlink /proc/self/ns/ipc', { ipcMode: 'container:box' }), ipc);
      const net = readlinkSync(`/proc/${box.pid}/ns/net`);
      assert.equal(await sh(engine, 'readlink /proc/self/ns/net', { network: 'container:box' }), net);
      await durable.stop({ timeoutMs: 0 });
      await rejectsWith(engine.run(IMAGE, ['true'], { pidMode: 'container:lasting' }), {
        reason: 'CONTAINER_NOT_RUNNING',
        names: ['pidMode', 'lasting'],
      });
    }));

  it('init reaps what others leave and passes signals on', (t) => {
    const initPath = findBinary('tini-static') ?? findBinary('catatonit');
    return withEngine(
      t,
      async ({ engine }) => {
        if (initPath === undefined) {
          await rejectsWith(engine.run(IMAGE, ['true'], { init: true }), { reason: 'TOOL_MISSING', names: ['init'] });
          return;
        }
        const result = await engine.run(
          IMAGE,
          ['sh', '-c', 'echo $$; (sleep 0 & ) ; sleep 0.2; ps | grep -c "[Z]"; exit 5'],
          { init: true },
        );
        assert.notEqual(result.stdout.split('\n')[0], '1');
        assert.equal(result.exitCode, 5);
        const container = await engine.containers.run({ image: IMAGE, command: ['sleep', '100'], init: true });
        await delay(50);
        const startedAt = Date.now();
        await container.stop({ timeoutMs: 5000 });
        assert.ok(Date.now() - startedAt < 3000, 'sleep alone as pid 1 would have ignored SIGTERM');
        assert.equal((await container.inspect()).exitCode, 143);
      },
      initPath === undefined ? {} : { initPath },
    );
  });

  it('a host directory as root: read, never written', (t) =>
    withEngine(t, async ({ engine }) => {
      await using box = await engine.containers.ephemeral({ rootfs: busyboxTree(), command: ['sleep', '100'] });
      await box.exec(['sh', '-c', 'echo x > /new; rm /etc/group; test -e /new'], { check: true });
      assert.equal(existsSync(join(busyboxTree(), 'new')), false);
      assert.equal(existsSync(join(busyboxTree(), 'etc/group')), true);
      const container = await engine.containers.run({ rootfs: busyboxTree(), command: ['sh', '-c', 'exit 4'] });
      assert.equal((await container.wait()).exitCode, 4);
    }));
});

describe('a throwaway container', () => {
  it('runs commands: streams, input, limits, user, directory, environment, terminal', (t) =>
    withEngine(t, async ({ engine }) => {
      await using box = await engine.containers.ephemeral({
        image: IMAGE,
        command: ['sleep', '100'],
        env: { A: '1', B: '1' },
      });
      const result = await box.exec(['sh', '-c', 'id -un; pwd; echo $A$B; cat >&2; exit 200'], {
        user: 'alice',
        workingDir: '/tmp',
        env: { B: '2' },
        input: 'fed',
      });
      assert.deepEqual([result.exitCode, result.stdout, result.stderr], [200, 'alice\n/tmp\n12\n', 'fed']);
      await rejectsWith(box.exec(['no-such']), { reason: 'COMMAND_NOT_FOUND', names: ['no-such'], exitCode: 127 });
      await rejectsWith(box.exec(['/etc/passwd']), { reason: 'COMMAND_NOT_EXECUTABLE', exitCode: 126 });
      await rejectsWith(box.exec(['yes'], { maxOutputBytes: 100 }), { reason: 'OUTPUT_TOO_LARGE' });
      await rejectsWith(box.exec(['sleep', '77'], { timeoutMs: 150 }), { reason: 'TIMED_OUT' });
      await rejectsWith(box.exec(['sleep', '77'], { signal: AbortSignal.timeout(150) }), { reason: 'TIMED_OUT' });
      await delay(50);
      assert.doesNotMatch((await box.exec(['ps'])).stdout, /sleep 77|yes/);
      const tty = await box.exec(['sh', '-c', 'stty size; echo err >&2'], {
        tty: true,
        consoleSize: { rows: 7, columns: 70 },
      });
      assert.equal(tty.stdout, '7 70\r\nerr\r\n');
      const many = await Promise.all(Array.from({ length: 8 }, (_, i) => box.exec(['sh', '-c', `exit ${i}`])));
      assert.deepEqual(
        many.map((one) => one.exitCode),
        [0, 1, 2, 3, 4, 5, 6, 7],
      );
    }));

  it('has stdin, logs from the start on, signals and an end', (t) =>
    withEngine(t, async (bed) => {
      await bed.engine.run(IMAGE, ['true']);
      const before = listing(bed);
      const box = await bed.engine.containers.ephemeral({
        image: IMAGE,
        command: ['sh', '-c', 'echo up; while read l; do echo "<$l>"; done; exit 12'],
        openStdin: true,
      });
      box.stdin?.write('one\n');
      const lines: string[] = [];
      for await (const entry of box.logs({ follow: true })) {
        lines.push(entry.data.toString().trim());
        if (lines.length === 2) box.stdin?.end();
      }
      assert.deepEqual(lines, ['up', '<one>']);
      assert.deepEqual(await box.wait(), { exitCode: 12 });
      assert.equal(box.running, false);
      assert.equal(box.kill(), false);
      await rejectsWith(box.exec(['true']), { reason: 'CONTAINER_NOT_RUNNING' });
      await box[Symbol.asyncDispose]();
      assert.deepEqual(listing(bed), before);
      await rejectsWith(bed.engine.containers.ephemeral({ image: IMAGE, command: ['no-such'] }), {
        reason: 'COMMAND_NOT_FOUND',
        exitCode: 127,
      });
      assert.deepEqual(listing(bed), before);
    }));

  it('leaves nothing when its start is aborted, whenever that is', (t) =>
    withEngine(t, async (bed) => {
      await bed.engine.run(IMAGE, ['true']);
      const before = listing(bed);
      for (let ms = 0; ms <= 80; ms += 8) {
        const signal = AbortSignal.timeout(ms);
        const box = await bed.engine.containers
          .ephemeral({ image: IMAGE, command: ['sleep', '100'], signal })
          .catch((error) => assert.equal(error.reason, 'TIMED_OUT'));
        await box?.[Symbol.asyncDispose]();
        assert.deepEqual(listing(bed), before, `aborted after ${ms} ms`);
      }
    }));
});
