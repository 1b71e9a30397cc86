import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { settleExit } from '#src/containers/durable/settle.js';
import { closeEngine } from '#src/engine/close.js';
import { openParts } from '#src/engine/open.js';
import { identifyProcess, type ProcessIdentity, unmount } from '#src/os/index.js';
import type { SupervisedTask } from '#src/runtime/index.js';
import { command, DeathBed, pids } from '#support/death-bed.js';
import { requireBinary, requireRoot } from '#support/require.js';
import { realSupervisor } from '#support/supervisor-bed.js';

const sleeper = { image: 'box', command: ['sleep', '1000'] };

function ready(t: Parameters<typeof requireBinary>[0], ...more: string[]): boolean {
  return ['runc', 'busybox', ...more].every((name) => requireBinary(t, name) !== undefined) && requireRoot(t);
}

async function newBed(engine: ConstructorParameters<typeof DeathBed>[0] = {}): Promise<DeathBed> {
  const bed = new DeathBed(engine);
  await bed.importImage();
  return bed;
}

async function logText(container: { logs(): AsyncIterable<{ data: Uint8Array }> }): Promise<string> {
  let text = '';
  for await (const entry of container.logs()) text += Buffer.from(entry.data).toString();
  return text;
}

describe('durable containers of a host that was killed', () => {
  for (const supervisor of ['conmon', 'shim'] as const) {
    const program = supervisor === 'conmon' ? 'conmon' : 'containerd-shim-runc-v2';

    it(`${supervisor}: run on, with log and exit code`, async (t) => {
      if (!ready(t, program)) return;
      await using bed = await newBed({ engine: { supervisor } });
      const host = bed.startHost({ job: 'durable' });
      const id = (await host.message()) as string;
      host.kill();
      await host.ended;
      await using engine = await bed.open();
      const container = await engine.containers.get(id);
      const { exitCode } = await container.wait();
      assert.equal(exitCode, 7);
      assert.match(await logText(container), /one\s*two/);
      await container.remove();
      await engine.close();
      assert.deepEqual(await bed.leaks(), []);
    });

    it(`${supervisor}: one that ended while nobody looked has its code`, async (t) => {
      if (!ready(t, program)) return;
      await using bed = await newBed({ engine: { supervisor } });
      const host = bed.startHost({ job: 'durable' });
      const id = (await host.message()) as string;
      host.kill();
      await host.ended;
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      await using engine = await bed.open();
      const [row] = await engine.containers.list({ all: true });
      assert.deepEqual([row?.id, row?.status, row?.exitCode], [id, 'exited', 7]);
      const container = await engine.containers.get(id);
      assert.match(await logText(container), /one\s*two/);
      await container.start();
      await container.remove({ force: true });
      await engine.close();
      assert.deepEqual(await bed.leaks(), []);
    });

    it(`${supervisor}: killed under a running container: the code is lost, nothing else`, async (t) => {
      if (!ready(t, program)) return;
      await using bed = await newBed({ engine: { supervisor } });
      await using engine = await bed.open();
      const container = await engine.containers.run({ ...sleeper, name: 'orphan' });
      const [pid] = pids().filter((one) => command(one).includes(program) && command(one).includes(container.id));
      assert.ok(pid !== undefined);
      process.kill(pid, 'SIGKILL');
      await container.kill('SIGKILL').catch(() => {});
      const { exitCode } = await container.wait({ signal: AbortSignal.timeout(10_000) });
      assert.ok(exitCode === -1 || exitCode === 137, `exit code ${exitCode}`);
      const [row] = await engine.containers.list({ all: true });
      assert.equal(row?.status, 'exited');
      await container.start();
      await container.exec(['true'], { check: true });
      await container.remove({ force: true });
      await engine.close();
      assert.deepEqual(await bed.leaks(), []);
    });

    it(`${supervisor}: who still waits for an earlier run does not end the next one`, async (t) => {
      if (!ready(t, program)) return;
      await using bed = await newBed({ engine: { supervisor } });
      await using engine = await bed.open();
      const container = await engine.containers.run({ ...sleeper, name: 'again' });
      const record = JSON.parse(readFileSync(`${bed.root}/v1/containers/${container.id}/record.json`, 'utf8'));
      const task = record.record.task as SupervisedTask;
      await container.stop({ timeoutMs: 0 });
      await container.start();
      // Another process that was slow to wake up sees that run 1 has ended and that nobody knows how.
      const late = await realSupervisor(supervisor).wait(task);
      assert.equal(late.exitCode, -1);
      assert.deepEqual(
        (await engine.containers.list()).map((row) => row.id),
        [container.id],
      );
      await container.exec(['true'], { check: true });
      await container.kill('SIGKILL');
      assert.equal((await container.wait()).exitCode, 137);
      await container.remove();
      await engine.close();
      assert.deepEqual(await bed.leaks(), []);
    });

    it(`${supervisor}: a host killed during create and start`, { timeout: 120_000 }, async (t) => {
      if (!ready(t, program)) return;
      await using bed = await newBed({ engine: { supervisor } });
      const found: string[] = [];
      for (let n = 0; n < 14; n++) {
        const host = bed.startHost({ job: 'create' });
        await host.message();
        await new Promise((resolve) => setTimeout(resolve, n * 24));
        host.kill();
        await host.ended;
        await using engine = await bed.open();
        const rows = await engine.containers.list({ all: true });
        found.push(rows.map((row) => row.status).join() || 'none');
        assert.ok(rows.length <= 1);
        for (const row of rows) {
          assert.ok(['created', 'running'].includes(row.status), row.status);
          const container = await engine.containers.get('cut');
          await container.start();
          await container.exec(['true'], { check: true });
          await container.remove({ force: true });
        }
        await engine.close();
        assert.deepEqual(await bed.leaks(), [], `after ${n * 24} ms`);
      }
      t.diagnostic(found.join(' '));
      assert.deepEqual(bed.containerFiles(), []);
    });
  }
});

describe('a durable container that another process has started again', () => {
  it('is left alone by one who is late to take note of its earlier end', async (t) => {
    if (!ready(t, 'conmon')) return;
    await using bed = await newBed();
    const parts = await openParts(bed.options);
    await using engine = await bed.open();
    try {
      const container = await engine.containers.run({ ...sleeper, name: 'again' });
      // Under the container's lock: to wait here for the end of the new run would stop everybody.
      await settleExit(parts.deps, container.id, { signal: AbortSignal.timeout(5_000) });
      await container.exec(['true'], { check: true });
      await container.remove({ force: true });
    } finally {
      await closeEngine(parts);
    }
  });
});

describe('opening a root', () => {
  it('finds the run dir empty: what died with it is taken away, durable containers stay', async (t) => {
    if (!ready(t, 'conmon')) return;
    await using bed = await newBed();
    const host = bed.startHost({ job: 'boxes', extra: { name: 'gone' } });
    const [box] = (await host.message()) as [{ id: string }];
    let ids: string[];
    {
      await using engine = await bed.open();
      const kept = await engine.containers.create({ ...sleeper, name: 'kept' });
      const running = await engine.containers.run({ ...sleeper, name: 'running' });
      const [conmon] = pids().filter((one) => command(one).includes('conmon') && command(one).includes(running.id));
      ids = [kept.id, running.id];
      // Power off: all processes end at once, mounts and run dir are gone, the root stays as it was.
      process.kill(conmon as number, 'SIGKILL');
      host.child.kill('SIGSTOP');
      for (const pid of pids())
        if (command(pid).includes('caisson-watch') && command(pid).includes(bed.runDir)) process.kill(pid, 'SIGKILL');
      await engine.close();
      const details = await bedProcess(bed, running.id);
      process.kill(details, 'SIGKILL');
    }
    host.kill();
    await host.ended;
    await killAll(bed);
    for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
      if (line.includes(bed.runDir)) unmount(line.split(' ')[4] as string, { lazy: true });
    }
    rmSync(bed.runDir, { recursive: true, force: true });
    mkdirSync(bed.runDir, { mode: 0o700 });
    const active = (): string[] => bed.containerFiles().filter((path) => path.includes(box.id));
    assert.notDeepEqual(active(), []);
    await using engine = await bed.open();
    assert.deepEqual(active(), []);
    assert.ok(!bed.containerFiles().includes('names/gone'));
    const rows = await engine.containers.list({ all: true });
    assert.deepEqual(rows.map(({ name, status, exitCode }) => [name, status, exitCode]).sort(), [
      ['kept', 'created', undefined],
      ['running', 'exited', -1],
    ]);
    for (const id of ids) {
      const container = await engine.containers.get(id);
      await container.start();
      await container.exec(['true'], { check: true });
      await container.remove({ force: true });
    }
    await engine.close();
    assert.deepEqual(await bed.leaks(), []);
  });

  it('finds its run dir wiped under a durable container that lives', async (t) => {
    if (!ready(t, 'conmon')) return;
    await using bed = await newBed();
    let id: string;
    {
      await using engine = await bed.open();
      const container = await engine.containers.run({
        image: 'box',
        name: 'alive',
        command: ['sh', '-c', 'sleep 1; exit 5'],
      });
      id = container.id;
    }
    for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
      if (line.includes(bed.runDir)) unmount(line.split(' ')[4] as string, { lazy: true });
    }
    rmSync(bed.runDir, { recursive: true, force: true });
    mkdirSync(bed.runDir, { mode: 0o700 });
    await using engine = await bed.open();
    const container = await engine.containers.get('alive');
    assert.equal(container.id, id);
    const { exitCode } = await container.wait({ signal: AbortSignal.timeout(10_000) });
    assert.ok(exitCode === 5 || exitCode === -1, `exit code ${exitCode}`);
    await container.start();
    await container.remove({ force: true });
    await engine.close();
    assert.deepEqual(await bed.leaks(), []);
  });

  it('leaves a session alone that is just being made, and removes one that nobody makes any more', async (t) => {
    if (!ready(t)) return;
    await using bed = await newBed();
    await (await bed.open()).close();
    const sessions = join(bed.runDir, 'sessions');
    const { pid, startTime } = identifyProcess(process.pid) as ProcessIdentity;
    const [own, dead] = [`.${pid}.${startTime}.0123456789abcdef`, `.${pid}.1.fedcba9876543210`];
    for (const name of [own, dead]) mkdirSync(join(sessions, name), { mode: 0o700 });
    await (await bed.open()).close();
    assert.deepEqual(readdirSync(sessions), [own]);
    rmSync(join(sessions, own), { recursive: true });
    // A session whose lock file is gone was being closed.
    mkdirSync(join(sessions, 'fedcba9876543210'), { mode: 0o700 });
    await (await bed.open()).close();
    assert.deepEqual(readdirSync(sessions), []);
  });

  it('by many at once after a death: all succeed, the work is done once', { timeout: 60_000 }, async (t) => {
    if (!ready(t, 'conmon')) return;
    await using bed = await newBed();
    for (let round = 0; round < 3; round++) {
      const host = bed.startHost({ job: 'boxes', count: 3 });
      await host.message();
      host.child.kill('SIGSTOP');
      for (const pid of pids())
        if (command(pid).includes('caisson-watch') && command(pid).includes(bed.runDir)) process.kill(pid, 'SIGKILL');
      host.kill();
      await host.ended;
      const others = Array.from({ length: 4 }, () => bed.startHost({ job: 'idle' }));
      await Promise.all(others.map((other) => other.message()));
      const { left } = await bed.goneWithin(2_000);
      assert.deepEqual(left, []);
      for (const other of others) {
        other.kill();
        await other.ended;
      }
    }
    await (await bed.open()).close();
    assert.deepEqual(await bed.leaks(), []);
    assert.deepEqual(bed.containerFiles(), []);
  });

  it('that recovers is killed itself: the next one does it all', { timeout: 60_000 }, async (t) => {
    if (!ready(t, 'conmon')) return;
    await using bed = await newBed();
    for (let at = 1; at < 60; at += 4) {
      const host = bed.startHost({ job: 'boxes', extra: { name: 'boxed' } });
      await host.message();
      host.child.kill('SIGSTOP');
      for (const pid of pids())
        if (command(pid).includes('caisson-watch') && command(pid).includes(bed.runDir)) process.kill(pid, 'SIGKILL');
      host.kill();
      await host.ended;
      const second = bed.startHost({ job: 'idle' }, at);
      await Promise.race([second.ended, second.message().catch(() => {})]);
      second.kill();
      await second.ended;
      await (await bed.open()).close();
      assert.deepEqual(bed.ephemeralLeft(), [], `killed at step ${at}`);
      assert.deepEqual(
        bed.containerFiles().filter((path) => !path.startsWith('run/sessions/.')),
        [],
        `killed at step ${at}`,
      );
    }
    assert.deepEqual(await bed.leaks(), []);
  });
});

/** Pid of a container's init. */
async function bedProcess(_bed: DeathBed, id: string): Promise<number> {
  const [pid] = pids().filter((one) => {
    try {
      return readFileSync(`/proc/${one}/cgroup`, 'utf8').includes(id) && command(one).includes('sleep');
    } catch {
      return false;
    }
  });
  assert.ok(pid !== undefined);
  return pid;
}

/** Ends every process in the bed's cgroups. */
async function killAll(bed: DeathBed): Promise<void> {
  for (const dir of bed.cgroups()) {
    for (const pid of readFileSync(`${dir}/cgroup.procs`, 'utf8').split('\n').filter(Boolean)) {
      try {
        process.kill(Number(pid), 'SIGKILL');
      } catch {
        // Gone meanwhile.
      }
    }
  }
  for (const dir of [bed.runDir, bed.root]) {
    for (const pid of pids()) {
      if (pid !== process.pid && /runc run|conmon/.test(command(pid)) && command(pid).includes(dir))
        process.kill(pid, 'SIGKILL');
    }
  }
  await new Promise((resolve) => setTimeout(resolve, 200));
}
