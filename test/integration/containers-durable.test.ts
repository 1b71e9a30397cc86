import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Container, CreateContainerOptions, LogEntry, LogOptions } from 'caisson';
import { failsCleanly, IMAGE, listing, rejectsWith, withEngine } from '#support/engine-bed.js';
import { run } from '#support/run.js';

const sh = (script: string, more: Partial<CreateContainerOptions> = {}): CreateContainerOptions => ({
  image: IMAGE,
  command: ['sh', '-c', script],
  ...more,
});

async function logText(container: Container, options: LogOptions = {}): Promise<string[]> {
  const lines: string[] = [];
  for await (const entry of container.logs(options)) lines.push(`${entry.stream}:${entry.data.toString().trimEnd()}`);
  return lines;
}

for (const supervisor of ['conmon', 'shim'] as const) {
  describe(`durable containers under ${supervisor}`, () => {
    it('create, start, exec, logs, stop, start again, remove', (t) =>
      withEngine(
        t,
        async (bed) => {
          const { containers } = bed.engine;
          const before = listing(bed);
          const container = await containers.create(
            sh('echo up $$; trap "exit 3" TERM; while :; do sleep 0.02; done', { name: 'web' }),
          );
          assert.equal(container.name, 'web');
          assert.deepEqual(await containers.list(), []);
          let details = await container.inspect();
          assert.deepEqual(
            [details.status, details.runs, details.pid, details.exitCode],
            ['created', 0, undefined, undefined],
          );
          assert.equal(details.supervisor, supervisor);

          await container.start();
          await container.start();
          details = await container.inspect();
          assert.deepEqual([details.status, details.runs], ['running', 1]);
          assert.ok(existsSync(`/proc/${details.pid}`));
          const result = await container.exec(['sh', '-c', 'cat; hostname; exit 4'], { input: 'in\n' });
          assert.deepEqual([result.exitCode, result.stdout], [4, `in\n${container.id.slice(0, 12)}\n`]);

          await container.stop();
          await container.stop();
          details = await container.inspect();
          assert.deepEqual([details.status, details.exitCode, details.oomKilled], ['exited', 3, false]);
          assert.ok(details.finishedAt !== undefined && details.startedAt !== undefined);
          assert.ok(details.finishedAt >= details.startedAt);

          await container.exec(['true']).then(
            () => assert.fail('exec in an exited container'),
            (error) => assert.equal(error.reason, 'CONTAINER_NOT_RUNNING'),
          );
          await container.start();
          assert.equal((await container.inspect()).runs, 2);
          await rejectsWith(container.remove(), { reason: 'CONTAINER_RUNNING' });
          await container.remove({ force: true });
          await rejectsWith(container.inspect(), { reason: 'CONTAINER_NOT_FOUND', names: [container.id] });
          await rejectsWith(container.remove(), { reason: 'CONTAINER_NOT_FOUND' });
          const left = listing(bed).filter((path) => !before.includes(path));
          // The exit code is kept for waiters, and directories for next time.
          assert.deepEqual(
            left.filter((path) => path.includes(container.id) && !path.includes('tombstones')),
            [],
          );
        },
        { supervisor },
      ));

    it('keeps what was written in the container from run to run', (t) =>
      withEngine(
        t,
        async ({ engine }) => {
          const container = await engine.containers.create(sh('echo x >> /data; exec wc -l /data'));
          for (const run of [1, 2]) {
            await container.start();
            await container.wait();
            assert.equal((await logText(container)).length, run);
          }
          assert.deepEqual(await logText(container), ['stdout:1 /data', 'stdout:2 /data']);
        },
        { supervisor },
      ));

    it('gives codes of every kind, and of many fast containers none is missed', (t) =>
      withEngine(
        t,
        async ({ engine }) => {
          const all = [0, 1, 125, 126, 127, 128, 200, 255, 7, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
          // The shim is a large program, and its turn is the same code.
          const codes = supervisor === 'conmon' ? all : all.slice(0, 8);
          const given = await Promise.all(
            codes.map(async (code, i) => {
              const container = await engine.containers.create(sh(`exit ${code}`, { autoRemove: i % 2 === 0 }));
              const early = container.wait();
              await container.start();
              const both = await Promise.all([early, container.wait()]);
              // Also when all is long over, and the container is gone.
              both.push(await container.wait());
              return both.map((exit) => exit.exitCode);
            }),
          );
          assert.deepEqual(
            given,
            codes.map((code) => [code, code, code]),
          );
          assert.equal((await engine.containers.list({ all: true })).length, codes.length / 2);
        },
        { supervisor },
      ));

    it('a start that fails says why in inspect, and can be tried again', (t) =>
      withEngine(
        t,
        async (bed) => {
          const { containers } = bed.engine;
          const target = join(bed.dir, 'late');
          const container = await containers.create(
            sh('cat /data/file', { mounts: [{ type: 'bind', source: target, target: '/data' }] }),
          );
          const error = await rejectsWith(container.start(), {
            reason: 'BAD_MOUNT_SOURCE',
            names: [target],
            exitCode: 125,
          });
          let details = await container.inspect();
          assert.equal(details.status, 'created');
          assert.deepEqual(details.error, { code: error.code, reason: error.reason, message: error.message });
          assert.equal(existsSync(join(bed.runDir, 'containers', container.id)), false);
          mkdirSync(target);
          await container.start();
          details = await container.inspect();
          assert.equal(details.error, undefined);
          assert.equal((await container.wait()).exitCode, 1);

          const missing = await containers.create({ image: IMAGE, command: ['no-such'] });
          await rejectsWith(missing.start(), { reason: 'COMMAND_NOT_FOUND', names: ['no-such'], exitCode: 127 });
          const plain = await containers.create({ image: IMAGE, command: ['/etc/passwd'] });
          await rejectsWith(plain.start(), { reason: 'COMMAND_NOT_EXECUTABLE', names: ['/etc/passwd'], exitCode: 126 });
          // `run` leaves nothing of a container that could not start.
          const count = (await containers.list({ all: true })).length;
          await failsCleanly(bed, () => containers.run({ image: IMAGE, command: ['no-such'], name: 'n' }), {
            reason: 'COMMAND_NOT_FOUND',
            exitCode: 127,
          });
          assert.equal((await containers.list({ all: true })).length, count);
        },
        { supervisor },
      ));

    it('stop: grace, then SIGKILL; its own signal; kill with signals', (t) =>
      withEngine(
        t,
        async ({ engine }) => {
          const stubborn = await engine.containers.run(sh('trap "" TERM; echo ready; while :; do sleep 0.02; done'));
          const own = await engine.containers.run(
            sh('trap "exit 21" USR2; echo ready; while :; do sleep 0.02; done', { stopSignal: 'SIGUSR2' }),
          );
          for (const container of [stubborn, own]) for await (const _ of container.logs({ follow: true })) break;
          const startedAt = Date.now();
          await stubborn.stop({ timeoutMs: 200 });
          assert.ok(Date.now() - startedAt >= 200);
          assert.equal((await stubborn.inspect()).exitCode, 137);
          await own.stop();
          assert.equal((await own.wait()).exitCode, 21);
          await own.start();
          for await (const _ of own.logs({ follow: true, tail: 1 })) break;
          await delay(50);
          await own.kill('USR2');
          assert.equal((await own.wait()).exitCode, 21);
          await rejectsWith(own.kill(), { reason: 'CONTAINER_NOT_RUNNING' });
          await stubborn.start();
          await stubborn.kill(9);
          assert.equal((await stubborn.wait()).exitCode, 137);
        },
        { supervisor },
      ));

    it('logs: streams, tail, since, until, follow, partial and long lines', (t) =>
      withEngine(
        t,
        async ({ engine }) => {
          const container = await engine.containers.run(
            sh(
              'echo one; sleep 0.05; echo two >&2; sleep 0.05; echo three; head -c 40000 /dev/zero | tr "\\0" y; echo; printf end',
            ),
          );
          const followed = await logText(container, { follow: true });
          assert.equal(followed.length, 5);
          assert.deepEqual(followed.slice(0, 3).sort(), ['stderr:two', 'stdout:one', 'stdout:three']);
          assert.deepEqual([followed[3]?.length, followed[4]], [40_007, 'stdout:end']);
          await container.wait();
          assert.deepEqual(await logText(container), followed);
          assert.deepEqual(await logText(container, { tail: 1 }), ['stdout:end']);
          assert.deepEqual(await logText(container, { tail: 0 }), []);
          assert.deepEqual(await logText(container, { stdout: false }), ['stderr:two']);
          assert.equal((await logText(container, { stderr: false })).length, 4);
          const entries: LogEntry[] = [];
          for await (const entry of container.logs()) entries.push(entry);
          const two = entries.find((entry) => entry.stream === 'stderr') as LogEntry;
          assert.equal((await logText(container, { since: two.time })).includes('stdout:one'), false);
          assert.deepEqual((await logText(container, { until: two.time })).sort(), ['stderr:two', 'stdout:one']);
          assert.deepEqual(await logText(container, { since: new Date(Date.now() + 60_000) }), []);

          const endless = await engine.containers.run(sh('while :; do echo tick; sleep 0.02; done'));
          const abort = new AbortController();
          let ticks = 0;
          await rejectsWith(
            (async () => {
              for await (const _ of endless.logs({ follow: true, signal: abort.signal }))
                if (++ticks === 3) abort.abort();
            })(),
            { reason: 'CANCELED' },
          );
          assert.equal(ticks, 3);
        },
        { supervisor },
      ));
  });
}

describe('durable containers', () => {
  it('have unique names over processes, random ones too, and are found by id, prefix and name', (t) =>
    withEngine(t, async (bed) => {
      const { containers } = bed.engine;
      const other = await bed.open();
      const tries = await Promise.allSettled(
        Array.from({ length: 12 }, (_, i) =>
          (i % 2 ? other : bed.engine).containers.create(sh('true', { name: 'same' })),
        ),
      );
      assert.equal(tries.filter((one) => one.status === 'fulfilled').length, 1);
      for (const one of tries) if (one.status === 'rejected') assert.equal(one.reason.reason, 'NAME_TAKEN');
      const random = await Promise.all(Array.from({ length: 10 }, () => containers.create(sh('true'))));
      assert.equal(new Set(random.map((container) => container.name)).size, 10);
      for (const { id, name } of random) {
        assert.match(name, /^[a-z]+-[a-z]+-\d+$/);
        for (const reference of [id, id.slice(0, 12), name])
          assert.equal((await other.containers.get(reference)).id, id);
      }
      const digit = [...'0123456789abcdef'].find((one) => random.filter(({ id }) => id.startsWith(one)).length > 1);
      if (digit !== undefined) {
        await rejectsWith(containers.get(digit), { reason: 'AMBIGUOUS_ID', names: [`"${digit}"`] });
      }
      const same = await containers.get('same');
      await same.remove();
      await containers.create(sh('true', { name: 'same' }));
      const a = await containers.create(sh('true', { name: 'abc' }));
      // A name goes before an id that begins like it.
      assert.equal((await containers.get('abc')).id, a.id);
    }));

  it('list: filters, newest first, those of others, labels of any name', (t) =>
    withEngine(t, async (bed) => {
      const { containers } = bed.engine;
      const labels = JSON.parse('{"__proto__":"p","constructor":"c","a b:c,d\\n=":"x=y","tier":"db"}');
      const idle = await containers.create(sh('true', { name: 'idle-one', labels }));
      await delay(5);
      const up = await containers.run(sh('sleep 100', { name: 'up-one', labels: { tier: 'web' } }));
      const done = await containers.run(sh('exit 5', { name: 'done-one' }));
      await done.wait();
      const other = await bed.open();
      await using box = await other.containers.ephemeral({
        image: IMAGE,
        command: ['sleep', '100'],
        name: 'box',
        labels,
      });
      const names = async (options = {}) => (await containers.list(options)).map((row) => row.name).sort();
      assert.deepEqual(await names(), ['box', 'up-one']);
      assert.deepEqual(await names({ all: true }), ['box', 'done-one', 'idle-one', 'up-one']);
      assert.deepEqual(await names({ status: ['exited', 'created'] }), ['done-one', 'idle-one']);
      assert.deepEqual(await names({ all: true, name: 'one' }), ['done-one', 'idle-one', 'up-one']);
      assert.deepEqual(await names({ all: true, labels: { tier: true } }), ['box', 'idle-one', 'up-one']);
      assert.deepEqual(await names({ all: true, labels: { tier: 'db' } }), ['box', 'idle-one']);
      assert.deepEqual(await names({ all: true, labels: JSON.parse('{"__proto__":"p"}') }), ['box', 'idle-one']);
      assert.deepEqual(await names({ all: true, labels: { toString: true } }), []);
      const rows = await containers.list({ all: true });
      assert.equal(rows.at(-1)?.id, idle.id, 'the oldest is the last');
      const row = rows.find(({ id }) => id === idle.id);
      assert.deepEqual(Object.entries(row?.labels ?? {}).sort(), Object.entries(labels).sort());
      assert.deepEqual(row?.command, ['sh', '-c', 'true']);
      assert.equal(rows.find(({ id }) => id === done.id)?.exitCode, 5);
      assert.equal(rows.find(({ id }) => id === box.id)?.kind, 'ephemeral');
      assert.deepEqual(
        Object.entries((await idle.inspect()).options.labels ?? {}).sort(),
        Object.entries(labels).sort(),
      );
      assert.equal(({} as Record<string, unknown>)['p'], undefined);
      await up.stop({ timeoutMs: 0 });
    }));

  it('wait in another process, begun before the start', (t) =>
    withEngine(t, async (bed) => {
      for (const autoRemove of [false, true]) {
        const container = await bed.engine.containers.create(sh('sleep 0.1; exit 33', { autoRemove }));
        const script = `
          import { Engine } from 'caisson';
          const engine = await Engine.open({ root: ${JSON.stringify(bed.root)}, runDir: ${JSON.stringify(bed.runDir)} });
          const container = await engine.containers.get(${JSON.stringify(container.id)});
          console.log((await container.wait()).exitCode);
          await engine.close();`;
        const waiting = run(process.execPath, ['--input-type=module', '-e', script]);
        await delay(autoRemove ? 600 : 0);
        await container.start();
        const result = await waiting;
        assert.deepEqual([result.code, result.stdout], [0, '33\n'], result.stderr);
        assert.equal((await bed.engine.containers.find(container.id)) === undefined, autoRemove);
      }
    }));

  it('wait ends with its signal; the container goes on', (t) =>
    withEngine(t, async ({ engine }) => {
      const container = await engine.containers.run(sh('sleep 100'));
      await rejectsWith(container.wait({ signal: AbortSignal.timeout(30) }), { reason: 'TIMED_OUT' });
      const abort = new AbortController();
      const waiting = container.wait({ signal: abort.signal });
      abort.abort();
      await rejectsWith(waiting, { reason: 'CANCELED' });
      await rejectsWith(container.stop({ signal: AbortSignal.abort() }), { reason: 'CANCELED' });
      assert.equal((await container.inspect()).status, 'running');
      const idle = await engine.containers.create(sh('true'));
      const gone = idle.wait();
      await idle.remove();
      await rejectsWith(gone, { reason: 'CONTAINER_NOT_FOUND' });
    }));

  it('create and start leave nothing when they are aborted', (t) =>
    withEngine(t, async (bed) => {
      const first = await bed.engine.containers.run(sh('true'));
      await first.wait();
      await first.remove();
      const idle = await bed.engine.containers.create(sh('sleep 100', { name: 'idle' }));
      const before = listing(bed);
      for (let ms = 0; ms <= 60; ms += 12) {
        const signal = ms === 0 ? AbortSignal.abort() : AbortSignal.timeout(ms);
        const reason = ms === 0 ? 'CANCELED' : 'TIMED_OUT';
        const made = await bed.engine.containers.run(sh('sleep 100', { name: 'x', signal })).catch((error) => error);
        if ('remove' in made) await made.remove({ force: true });
        else assert.equal(made.reason, reason);
        const tombs = (paths: string[]): string[] =>
          paths.filter((path) => !/\/tombstones\/|\/ctr\.log$|\/work\/work$/.test(path));
        assert.deepEqual(tombs(listing(bed)), tombs(before), `run aborted after ${ms} ms`);
        const started = await idle
          .start({ signal: ms === 0 ? signal : AbortSignal.timeout(ms) })
          .catch((error) => error);
        if (started === undefined) await idle.stop({ timeoutMs: 0 });
        else assert.equal(started.reason, reason);
        assert.match((await idle.inspect()).status, /^(created|exited)$/);
        assert.deepEqual(
          tombs(listing(bed)).filter((path) => path.startsWith(bed.runDir)),
          tombs(before).filter((path) => path.startsWith(bed.runDir)),
        );
      }
    }));

  it('work from several handles at once without a wrong state', (t) =>
    withEngine(t, async (bed) => {
      const other = await bed.open();
      const container = await bed.engine.containers.create(sh('sleep 100'));
      const twin = await other.containers.get(container.id);
      await Promise.all([container.start(), twin.start(), container.start()]);
      assert.equal((await twin.inspect()).runs, 1);
      await Promise.all([container.stop({ timeoutMs: 0 }), twin.stop({ timeoutMs: 0 })]);
      assert.equal((await container.inspect()).status, 'exited');
      const removed = await Promise.allSettled([container.remove(), twin.remove()]);
      assert.ok(removed.some((one) => one.status === 'fulfilled'));
      for (const one of removed) if (one.status === 'rejected') assert.equal(one.reason.reason, 'CONTAINER_NOT_FOUND');
    }));

  it('auto-remove leaves nothing, also when the engine was closed at the exit', (t) =>
    withEngine(t, async (bed) => {
      const other = await bed.open();
      const before = await bed.engine.containers.run(sh('true', { autoRemove: true }));
      await before.wait();
      const container = await other.containers.run(sh('sleep 0.2', { autoRemove: true, name: 'brief' }));
      const { pid } = await container.inspect();
      await other.close();
      await bed.engine.close();
      while (existsSync(`/proc/${pid}`) && !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z')) await delay(20);
      const next = await bed.open();
      for (let i = 0; i < 50 && (await next.containers.list({ all: true })).length > 0; i++) await delay(20);
      assert.deepEqual(await next.containers.list({ all: true }), []);
      await next.containers.create(sh('true', { name: 'brief' }));
    }));
});
