import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { EngineError } from '#src/errors/index.js';
import { isAlive, signalProcess } from '#src/os/process-identity.js';
import type { ExitRecord, SupervisedTask } from '#src/runtime/index.js';
import { type SupervisorBed, startHost } from '#support/supervisor-bed.js';

/** What every supervisor must do, tried with a real runtime. */
export function supervisorContract(name: string, makeBed: () => SupervisorBed): void {
  describe(`supervisor ${name}`, { concurrency: false, timeout: 120_000 }, () => {
    let bed: SupervisorBed;
    before(() => {
      bed = makeBed();
    });
    after(() => bed.remove());

    const noLeaks = async () => {
      // PID 1 reaps orphans when it likes, and they hold their cgroup until then.
      for (let tries = 0; tries < 100 && bed.leaks().length > 0; tries++) await delay(50);
      assert.deepEqual(bed.leaks(), []);
    };

    it('gives exit code and both streams of a container', async () => {
      const request = bed.request(['sh', '-c', 'echo out; echo err >&2; printf tail; exit 3']);
      const task = await bed.supervisor.create(request);
      assert.equal(isAlive(task.init), true);
      assert.equal(await bed.supervisor.findExit(task), undefined);
      await bed.supervisor.start(task, bed.runtime);
      const exit = await bed.supervisor.wait(task);
      assert.equal(exit.exitCode, 3);
      assert.ok(Math.abs(exit.exitedAt.getTime() - Date.now()) < 5_000);
      assert.equal(exit.oomKilled, false);
      assert.deepEqual(await bed.output(request), { stdout: 'out\ntail', stderr: 'err\n' });
      assert.deepEqual(await bed.supervisor.findExit(task), exit);
      await bed.supervisor.delete(task, bed.runtime);
      await noLeaks();
    });

    it('reports 137 for a container that was killed', async () => {
      const request = bed.request(['sleep', '100']);
      const task = await bed.launch(request);
      assert.equal(await bed.runtime.kill(task.id, 'SIGKILL'), true);
      assert.equal((await bed.supervisor.wait(task)).exitCode, 137);
      await bed.supervisor.delete(task, bed.runtime);
      await noLeaks();
    });

    it('loses no output of a container that writes fast and ends', async () => {
      const request = bed.request(['seq', '1', '20000']);
      const task = await bed.launch(request);
      await bed.supervisor.wait(task);
      const lines = (await bed.output(request)).stdout.trimEnd().split('\n');
      assert.equal(lines.length, 20000);
      assert.equal(lines.at(-1), '20000');
      await bed.supervisor.delete(task, bed.runtime);
    });

    it('ends the stdin of a container when the writer ends, while the container writes', async () => {
      // Several times: conmon forgot the end when it was just writing output to the client that sent it.
      for (let round = 0; round < 8; round++) {
        const request = bed.request(['sh', '-c', 'cat; echo done'], { stdin: true });
        const task = await bed.launch(request);
        const stdin = await bed.supervisor.openStdin(task);
        stdin.write('first\n');
        stdin.end('x'.repeat(100_000));
        await once(stdin, 'close');
        assert.equal((await bed.supervisor.wait(task)).exitCode, 0);
        assert.equal((await bed.output(request)).stdout, `first\n${'x'.repeat(100_000)}done\n`);
        await bed.supervisor.delete(task, bed.runtime);
      }
      await noLeaks();
    });

    it('keeps stdin open when a writer goes away without ending it', async () => {
      const request = bed.request(['sh', '-c', 'read a; read b; echo $a-$b'], { stdin: true });
      const task = await bed.launch(request);
      const first = await bed.supervisor.openStdin(task);
      await new Promise((resolve) => first.write('one\n', resolve));
      first.destroy();
      const second = await bed.supervisor.openStdin(task);
      second.end('two\n');
      await bed.supervisor.wait(task);
      assert.equal((await bed.output(request)).stdout, 'one-two\n');
      await bed.supervisor.delete(task, bed.runtime);
    });

    it('gives a container without stdin the end of file at once', async () => {
      const request = bed.request(['sh', '-c', 'cat; echo done']);
      const task = await bed.launch(request);
      assert.equal((await bed.supervisor.wait(task)).exitCode, 0);
      await assert.rejects(bed.supervisor.openStdin(task), (error) => EngineError.is(error, undefined, 'STDIN_CLOSED'));
      await bed.supervisor.delete(task, bed.runtime);
    });

    it('keeps output flowing while stdin is ended under load', async () => {
      const request = bed.request(['sh', '-c', 'cat >/dev/null & yes | head -n 200000; wait'], { stdin: true });
      const task = await bed.launch(request);
      (await bed.supervisor.openStdin(task)).end();
      assert.equal((await bed.supervisor.wait(task)).exitCode, 0);
      assert.equal((await bed.output(request)).stdout.length, 400_000);
      await bed.supervisor.delete(task, bed.runtime);
    });

    it('lets another process wait', async () => {
      const request = bed.request(['sh', '-c', 'sleep 0.5; exit 7']);
      const task = await bed.launch(request);
      const host = startHost(bed, request, 'wait', task);
      await host.ready;
      const [exit] = (await once(host.child, 'message')) as [ExitRecord];
      assert.equal(exit.exitCode, 7);
      await once(host.child, 'exit');
      await bed.supervisor.delete(task, bed.runtime);
      await noLeaks();
    });

    it('cleans up after a host that was killed while it created', async () => {
      for (const offset of [0, 4, 9, 15, 22, 30, 45, 70]) {
        const request = bed.request(['sleep', '100'], { stdin: true });
        const host = startHost(bed, request, 'create');
        await host.ready;
        await delay(offset);
        host.child.kill('SIGKILL');
        await once(host.child, 'exit');
        const { id, bundle, runDir, exitDir } = request;
        await bed.supervisor.delete({ id, bundle, runDir, exitDir }, bed.runtime);
        await noLeaks();
      }
    });

    it('keeps container and exit code through the death of the host', async () => {
      const request = bed.request(['sh', '-c', 'echo before; sleep 1; echo after; exit 9']);
      const host = startHost(bed, request, 'launch');
      await host.ready;
      const [task] = (await once(host.child, 'message')) as [SupervisedTask];
      host.child.kill('SIGKILL');
      await once(host.child, 'exit');
      assert.equal(isAlive(task.init), true);
      assert.equal((await bed.supervisor.wait(task)).exitCode, 9);
      assert.equal((await bed.output(request)).stdout, 'before\nafter\n');
      await bed.supervisor.delete(task, bed.runtime);
      await noLeaks();
    });

    it('says that the exit code is lost when the supervisor was killed', async () => {
      const request = bed.request(['sleep', '100']);
      const task = await bed.launch(request);
      const waiting = bed.supervisor.wait(task);
      assert.ok(task.supervisorProcess);
      assert.equal(signalProcess(task.supervisorProcess, 'SIGKILL'), true);
      await delay(600);
      assert.equal(isAlive(task.init), true);
      assert.equal(await bed.supervisor.findExit(task), undefined);
      signalProcess(task.init, 'SIGKILL');
      const exit = await waiting;
      assert.equal(exit.exitCode, -1);
      assert.deepEqual(await bed.supervisor.findExit(task), exit);
      await bed.supervisor.delete(task, bed.runtime);
      await noLeaks();
    });

    it('deletes a container whose supervisor was killed and that still runs', async () => {
      const task = await bed.launch(bed.request(['sleep', '100'], { stdin: true }));
      assert.ok(task.supervisorProcess);
      signalProcess(task.supervisorProcess, 'SIGKILL');
      await bed.supervisor.delete(task, bed.runtime);
      assert.equal(isAlive(task.init), false);
      await noLeaks();
    });

    it('tells a missing command by its reason and leaves nothing', async () => {
      const reasons = { '/bin/nope': 'COMMAND_NOT_FOUND', nope: 'COMMAND_NOT_FOUND', '/tmp': 'COMMAND_NOT_EXECUTABLE' };
      for (const [command, reason] of Object.entries(reasons)) {
        const request = bed.request([command]);
        await assert.rejects(bed.launch(request), (error) => {
          assert.ok(EngineError.is(error, 'INVALID_ARGUMENT', reason), String(error));
          return true;
        });
        await noLeaks();
      }
    });

    it('tells a broken bundle and leaves nothing', async () => {
      const request = bed.request(['true']);
      writeFileSync(`${request.bundle}/config.json`, '{');
      await assert.rejects(bed.supervisor.create(request), (error) => EngineError.is(error, 'INTERNAL'));
      await noLeaks();
    });

    it('deletes twice, and a container that never was', async () => {
      const task = await bed.launch(bed.request(['sleep', '100']));
      await bed.supervisor.delete(task, bed.runtime);
      await bed.supervisor.delete(task, bed.runtime);
      assert.equal(isAlive(task.init), false);
      const { id, bundle, runDir, exitDir } = bed.request(['true']);
      await bed.supervisor.delete({ id, bundle, runDir, exitDir }, bed.runtime);
      await noLeaks();
    });

    it('creates the same container again after its end', async () => {
      const first = bed.request(['sh', '-c', 'exit 1'], { id: 'again' });
      const task = await bed.launch(first);
      assert.equal((await bed.supervisor.wait(task)).exitCode, 1);
      await bed.supervisor.delete(task, bed.runtime);
      const second = await bed.launch(bed.request(['sh', '-c', 'exit 2'], { id: 'again' }));
      assert.equal((await bed.supervisor.wait(second)).exitCode, 2);
      await bed.supervisor.delete(second, bed.runtime);
      await noLeaks();
    });

    it('gives up a create whose call is canceled and leaves nothing', async () => {
      let canceled = 0;
      for (const ms of [1, 10, 20]) {
        const signal = AbortSignal.timeout(ms);
        // A quick machine may be done before the signal.
        const made = await bed.supervisor.create(bed.request(['sleep', '100']), { signal }).catch((error: unknown) => {
          assert.ok(EngineError.is(error, 'DEADLINE_EXCEEDED'), String(error));
        });
        if (made !== undefined) await bed.supervisor.delete(made, bed.runtime);
        else canceled++;
        await noLeaks();
      }
      assert.ok(canceled > 0);
    });

    it('marks an out-of-memory kill', {
      skip: existsSync('/sys/fs/cgroup/memory') ? false : 'missing: memory controller of cgroup v1',
    }, async () => {
      const request = bed.request(['sh', '-c', 'x=$(dd if=/dev/zero bs=1M count=64 | tr "\\0" x); echo $x'], {
        memoryLimit: 16 << 20,
      });
      const task = await bed.launch(request);
      const exit = await bed.supervisor.wait(task);
      assert.equal(exit.oomKilled, true);
      await bed.supervisor.delete(task, bed.runtime);
      await noLeaks();
    });
  });
}
