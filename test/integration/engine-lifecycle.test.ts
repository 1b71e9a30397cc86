import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Engine, type EngineEvent } from 'caisson';
import { type Bed, busyboxTree, canRun, IMAGE, listing, rejectsWith, withEngine } from '#support/engine-bed.js';
import { PROJECT } from '#support/project.js';
import { withTempRoot } from '#support/roots.js';
import { type RunResult, run } from '#support/run.js';

/** Descriptors of ours that are no part of a test run's own. */
function openFiles(): string[] {
  return readdirSync('/proc/self/fd')
    .map((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`);
      } catch {
        return '';
      }
    })
    .filter((target) => target !== '' && !/^\/proc\/|\/dev\/|^socket:|anon_inode:\[event(poll|fd)\]/.test(target))
    .sort();
}

/** False for a zombie too: only its reaper is late. */
function runs(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

/** Runs a module that has the engine's options in `places`; it must end by itself. */
function host(bed: Pick<Bed, 'root' | 'runDir'>, body: string): Promise<RunResult> {
  const script = `import { Engine } from 'caisson';
    const IMAGE = ${JSON.stringify(IMAGE)};
    const places = ${JSON.stringify({ root: bed.root, runDir: bed.runDir, defaultRuntime: 'runc' })};
    ${body}`;
  return run(process.execPath, ['--input-type=module', '-e', script], { cwd: PROJECT, timeoutMs: 15_000 });
}

async function endsBySelf(bed: Pick<Bed, 'root' | 'runDir'>, body: string): Promise<string> {
  const result = await host(bed, body);
  assert.deepEqual([result.code, result.signal], [0, null], result.stderr);
  return result.stdout;
}

describe('opening and closing', () => {
  it('makes private directories whatever the umask, and is the same root through a link', (t) => {
    if (!canRun(t)) return;
    return withTempRoot(async ({ dir }) => {
      const before = process.umask(0);
      try {
        const options = { root: join(dir, 'a/b/root'), runDir: join(dir, 'a/run') };
        await using engine = await Engine.open(options);
        assert.equal(engine.root, options.root);
        for (const path of [options.root, options.runDir, join(options.root, 'v1')]) {
          assert.equal(statSync(path).mode & 0o777, 0o700, path);
        }
        execFileSync('ln', ['-s', options.root, join(dir, 'link')]);
        await using twin = await Engine.open({ ...options, root: join(dir, 'link') });
        await engine.images.import(busyboxTree(), { format: 'rootfs', reference: IMAGE });
        assert.equal((await twin.images.list()).length, 1);
      } finally {
        process.umask(before);
      }
    });
  });

  it('close: ephemeral containers and execs end, durable ones live, calls afterwards throw CLOSED', (t) =>
    withEngine(t, async (bed) => {
      const engine = await bed.open();
      const durable = await engine.containers.run({ image: IMAGE, command: ['sleep', '100'], name: 'durable' });
      const idle = await engine.containers.create({ image: IMAGE, command: ['true'] });
      const box = await engine.containers.ephemeral({ image: IMAGE, command: ['sleep', '100'], name: 'box' });
      const boxPid = box.pid;
      const spawned = await engine.spawn(IMAGE, ['sleep', '100']);
      const inside = await durable.spawn(['sleep', '100']);
      for (const process of [spawned, inside]) {
        process.stdout.resume();
        process.stderr.resume();
      }
      const running = engine.run(IMAGE, ['sleep', '100']);
      const exec = durable.exec(['sleep', '100']);
      const scope = engine.scope();
      await scope.create({ image: IMAGE, command: ['true'], name: 'scoped' });
      await delay(100);
      const waiting = durable.wait();
      const following = (async () => {
        for await (const _ of engine.events());
      })();
      const ends = [waiting, following].map((call) => rejectsWith(call, { reason: 'CLOSED' }));
      const closing = engine.close();
      assert.equal(engine.close(), closing);
      await Promise.all([closing, ...ends, running.catch(() => {}), exec.catch(() => {})]);
      assert.equal((await spawned.exit).exitCode, 137);
      assert.equal((await inside.exit).exitCode, 137);
      assert.equal(runs(boxPid), false);
      assert.equal(box.running, false);

      const closed = { code: 'FAILED_PRECONDITION', reason: 'CLOSED' } as const;
      const calls: (() => unknown)[] = [
        () => engine.run(IMAGE, ['true']),
        () => engine.spawn(IMAGE, ['true']),
        () => engine.containers.list(),
        () => engine.containers.get('durable'),
        () => engine.containers.find('durable'),
        () => engine.containers.create({ image: IMAGE, command: ['true'] }),
        () => engine.containers.ephemeral({ image: IMAGE, command: ['true'] }),
        () => engine.scope(),
        () => engine.events(),
        () => engine.info(),
        () => engine.doctor(),
        () => durable.exec(['true']),
        () => durable.spawn(['true']),
        () => durable.inspect(),
        () => durable.stop(),
        () => durable.kill(),
        () => durable.wait(),
        () => idle.start(),
        () => idle.remove(),
        () => scope.run({ image: IMAGE, command: ['true'] }),
        () => engine.images.import(busyboxTree(), { format: 'rootfs' }),
        () => engine.images.list(),
        async () => {
          for await (const _ of durable.logs()) assert.fail('an entry');
        },
      ];
      for (const call of calls) await rejectsWith(async () => call(), closed);
      await rejectsWith(box.exec(['true']), { reason: 'CONTAINER_NOT_RUNNING' });

      const other = await bed.open();
      const found = await other.containers.get('durable');
      assert.equal((await found.inspect()).status, 'running');
      const processes = (await found.exec(['ps'])).stdout;
      assert.equal(processes.match(/sleep 100/g)?.length, 1, `exec sessions ended with their host:\n${processes}`);
      assert.deepEqual(
        (await other.containers.list()).map((row) => row.name),
        ['durable'],
      );
      await (await other.containers.get('scoped')).remove();
    }));

  it('close while calls begin: each ends, with a typed error or a result, and nothing is left', (t) =>
    withEngine(t, async (bed) => {
      const warm = await bed.open();
      await warm.run(IMAGE, ['true']);
      await warm.close();
      const before = listing(bed);
      for (let ticks = 0; ticks < 40; ticks += 3) {
        const engine = await bed.open();
        const calls = [
          engine.run(IMAGE, ['sleep', '100']),
          engine.containers.ephemeral({ image: IMAGE, command: ['sleep', '100'] }),
          engine.run(IMAGE, ['true'], { name: 'x' }),
        ];
        const settled = Promise.allSettled(calls);
        if (ticks < 20) for (let i = 0; i < ticks; i++) await Promise.resolve();
        else await delay(ticks - 20);
        await engine.close();
        for (const one of await settled) {
          if (one.status === 'rejected')
            assert.ok(['CLOSED', 'CANCELED'].includes(one.reason.reason), one.reason.stack);
        }
        assert.deepEqual(listing(bed), before, `closed after ${ticks}`);
      }
    }));

  it('adds no signal listeners and leaves no descriptor, timer or listener', (t) =>
    withEngine(t, async (bed) => {
      const work = async (): Promise<void> => {
        const engine = await bed.open();
        await engine.run(IMAGE, ['cat'], { input: 'x' });
        const container = await engine.containers.run({
          image: IMAGE,
          command: ['sh', '-c', 'echo hi; until [ -e /go ]; do sleep 0.02; done'],
        });
        await container.exec(['touch', '/go']);
        for await (const _ of container.logs({ follow: true }));
        await container.wait();
        await container.remove();
        await using box = await engine.containers.ephemeral({ image: IMAGE, command: ['sleep', '100'], tty: true });
        await box.exec(['true'], { tty: true });
        await assert.rejects(engine.run(IMAGE, ['no-such']));
        for await (const _ of engine.events({ since: 0, until: new Date() })) break;
        await engine.close();
      };
      await work();
      await delay(20);
      const listeners = (): unknown =>
        process.eventNames().map((name) => [name, process.listenerCount(name as 'exit')]);
      const before = { files: openFiles(), listeners: listeners(), resources: process.getActiveResourcesInfo().sort() };
      for (let i = 0; i < 3; i++) await work();
      await delay(20);
      assert.deepEqual(openFiles(), before.files);
      assert.deepEqual(listeners(), before.listeners);
      assert.deepEqual(process.getActiveResourcesInfo().sort(), before.resources);
    }));

  it('several engines in one process, on one root and on two', (t) =>
    withEngine(t, async (bed) => {
      const twin = await bed.open();
      await withTempRoot(async (elsewhere) => {
        await using stranger = await Engine.open({
          root: elsewhere.root,
          runDir: elsewhere.runDir,
          defaultRuntime: 'runc',
        });
        assert.deepEqual(await stranger.images.list(), []);
        await stranger.images.import(busyboxTree(), { format: 'rootfs', reference: IMAGE });
        const options = { image: IMAGE, command: ['sleep', '100'], name: 'same' };
        await using here = await bed.engine.containers.ephemeral(options);
        await using there = await stranger.containers.ephemeral(options);
        await rejectsWith(twin.containers.ephemeral(options), { reason: 'NAME_TAKEN', names: ['"same"'] });
        assert.deepEqual(
          (await twin.containers.list()).map((row) => row.id),
          [here.id],
        );
        assert.deepEqual(
          (await stranger.containers.list()).map((row) => row.id),
          [there.id],
        );
        const outputs = await Promise.all(
          [bed.engine, twin, stranger].flatMap((engine) =>
            [1, 2, 3].map(async (n) => (await engine.run(IMAGE, ['echo', String(n)])).stdout),
          ),
        );
        assert.equal(outputs.join(''), '1\n2\n3\n'.repeat(3));
        await twin.close();
        assert.equal(here.running, true, 'another engine on the root was closed');
      });
    }));
});

describe('hosts end by themselves', () => {
  it('that open, run and close', (t) =>
    withEngine(t, async (bed) => {
      const out = await endsBySelf(
        bed,
        `const engine = await Engine.open(places);
         console.log((await engine.run(IMAGE, ['echo', 'hi'])).stdout);
         await engine.close();`,
      );
      assert.equal(out, 'hi\n\n');
    }));

  it('that forget to close: idle, after a run, with a durable container watched, with events open', (t) =>
    withEngine(t, async (bed) => {
      await endsBySelf(bed, 'await Engine.open(places);');
      await endsBySelf(bed, "const engine = await Engine.open(places); await engine.run(IMAGE, ['true']);");
      for (const supervisor of ['conmon', 'shim']) {
        await endsBySelf(
          bed,
          `const engine = await Engine.open({ ...places, supervisor: '${supervisor}' });
           await engine.containers.run({ image: IMAGE, command: ['sleep', '100'], name: 'left' });`,
        );
        const left = await bed.engine.containers.get('left');
        assert.equal((await left.inspect()).status, 'running');
        await endsBySelf(bed, 'await Engine.open(places); /* it watches the container that runs */');
        await left.remove({ force: true });
      }
    }));

  it('that exit with a container running: it is gone within a second', (t) =>
    withEngine(t, async (bed) => {
      for (const how of ['process.exit(0)', 'throw new Error("x")', "process.kill(process.pid, 'SIGKILL')"]) {
        const result = await host(
          bed,
          `const engine = await Engine.open(places);
           const box = await engine.containers.ephemeral({ image: IMAGE, command: ['sleep', '100'], name: 'box' });
           console.log(box.pid);
           ${how};`,
        );
        const pid = Number(result.stdout);
        assert.ok(pid > 1, result.stderr);
        const endsAt = Date.now() + 1000;
        while (runs(pid) && Date.now() < endsAt) await delay(10);
        assert.equal(runs(pid), false, how);
        assert.deepEqual(await bed.engine.containers.list(), []);
      }
    }));

  it('a wait keeps the host alive until the exit', (t) =>
    withEngine(t, async (bed) => {
      const out = await endsBySelf(
        bed,
        `const engine = await Engine.open(places);
         const container = await engine.containers.run({ image: IMAGE, command: ['sh', '-c', 'sleep 0.3; exit 6'] });
         console.log((await container.wait()).exitCode);
         await container.remove();`,
      );
      assert.equal(out, '6\n');
    }));
});

describe('events', () => {
  it('come in order and without gaps, those of other processes too, with labels of any name', (t) =>
    withEngine(t, async (bed) => {
      const { engine } = bed;
      const abort = new AbortController();
      const seen: EngineEvent[] = [];
      const reading = (async () => {
        for await (const event of engine.events({ signal: abort.signal, type: 'container' })) seen.push(event);
      })();
      await delay(20);
      await endsBySelf(
        bed,
        `const engine = await Engine.open(places);
         const labels = JSON.parse('{"__proto__":"p","constructor":"c"}');
         const container = await engine.containers.create({ image: IMAGE, command: ['sh', '-c', 'exit 3'], name: 'far', labels });
         await container.start();
         await container.wait();
         await container.remove();
         await engine.close();`,
      );
      const near = await Promise.all(
        [1, 2, 3].map(async (n) => {
          const container = await engine.containers.run({ image: IMAGE, command: ['true'], name: `near${n}` });
          await container.wait();
          await container.remove();
          return container.id;
        }),
      );
      for (let i = 0; i < 50 && seen.filter((event) => event.action === 'destroy').length < 4; i++) await delay(20);
      abort.abort();
      await reading.catch((error) => assert.equal(error.reason, 'CANCELED'));
      const far = seen.filter((event) => event.attributes['name'] === 'far');
      assert.deepEqual(
        far.map((event) => event.action),
        ['create', 'start', 'die', 'destroy'],
      );
      const die = far[2] as EngineEvent;
      assert.equal(die.attributes['exitCode'], '3');
      assert.equal(die.attributes['__proto__' as string], 'p');
      assert.equal(die.attributes['constructor'], 'c');
      for (const id of near) {
        assert.deepEqual(
          seen.filter((event) => event.id === id).map((event) => event.action),
          ['create', 'start', 'die', 'destroy'],
        );
      }
      const numbers = seen.map((event) => event.seq);
      assert.deepEqual(
        numbers,
        [...new Set(numbers)].sort((a, b) => a - b),
      );
      // From any position on, a second reader sees the same.
      const again: number[] = [];
      const range = { since: numbers[2] as number, until: new Date(), type: 'container' } as const;
      for await (const event of engine.events(range)) again.push(event.seq);
      assert.deepEqual(again, numbers.slice(3));
      const only: string[] = [];
      const filtered = { since: 0, until: new Date(), action: 'die', labels: { constructor: 'c' } };
      for await (const event of engine.events(filtered)) only.push(event.action);
      assert.deepEqual(only, ['die']);
    }));

  it('of throwaway containers and images', (t) =>
    withEngine(t, async (bed) => {
      await bed.engine.run(IMAGE, ['sh', '-c', 'exit 9'], { labels: { job: 'x' } });
      await bed.engine.images.tag(IMAGE, 'test/second');
      const actions: string[] = [];
      for await (const event of bed.engine.events({ since: 0, until: new Date() })) {
        actions.push(`${event.type} ${event.action} ${event.attributes['exitCode'] ?? ''}`.trim());
      }
      for (const action of ['container start', 'container die 9', 'image tag'])
        assert.ok(actions.includes(action), String(actions));
    }));
});

describe('info and doctor', () => {
  it('tell what is', (t) =>
    withEngine(
      t,
      async (bed) => {
        const { engine } = bed;
        await using _box = await engine.containers.ephemeral({ image: IMAGE, command: ['sleep', '100'] });
        await engine.containers.create({ image: IMAGE, command: ['true'] });
        const info = await engine.info();
        assert.deepEqual(info.containers, { running: 1, total: 2 });
        assert.equal(info.images, 1);
        assert.equal(info.root, bed.root);
        assert.equal(info.defaultRuntime, 'runc');
        assert.match(info.snapshotter, /^(overlay|vfs)$/);
        assert.match(info.kernelVersion, /^\d+\.\d+/);
        assert.deepEqual({ ...info.labels }, { site: 'x' });
        const report = await engine.doctor();
        assert.equal(report.ok, true, JSON.stringify(report.findings.filter((finding) => finding.level === 'error')));
        for (const finding of report.findings) {
          assert.equal(finding.remedy === '', finding.level === 'ok', JSON.stringify(finding));
        }
        assert.ok(report.findings.some((finding) => finding.id.includes('runc')));
      },
      { labels: { site: 'x' } },
    ));

  it('facets of later versions say so', (t) =>
    withEngine(t, async ({ engine }) => {
      for (const facet of ['plugins', 'networks'] as const) {
        await rejectsWith(engine[facet].list(), { code: 'NOT_IMPLEMENTED', reason: 'NOT_BUILT_YET', names: [facet] });
      }
      await rejectsWith(engine.images.push('x'), { reason: 'NOT_BUILT_YET', names: ['push'] });
    }));
});

describe('scopes', () => {
  it('take all away in reverse order, also after a failure, and say what they could not', (t) =>
    withEngine(t, async (bed) => {
      const { engine } = bed;
      const order: string[] = [];
      await assert.rejects(
        async () => {
          await using scope = engine.scope();
          scope.defer(() => order.push('first'));
          const one = await scope.run({ image: IMAGE, command: ['sleep', '100'], name: 'one' });
          scope.defer(async () => order.push(`one is ${(await one.inspect()).status}`));
          const box = await scope.ephemeral({ image: IMAGE, command: ['sleep', '100'] });
          scope.defer(() => order.push(`box ${box.running}`));
          await scope.run({ image: IMAGE, command: ['no-such'] });
        },
        { reason: 'COMMAND_NOT_FOUND' },
      );
      assert.deepEqual(order, ['box true', 'one is running', 'first']);
      assert.deepEqual(await engine.containers.list({ all: true }), []);

      const scope = engine.scope();
      scope.defer(() => order.push('still'));
      scope.defer(() => {
        throw new Error('stuck');
      });
      await (await scope.create({ image: IMAGE, command: ['true'] })).remove();
      const error = await rejectsWith(scope[Symbol.asyncDispose](), { reason: 'SCOPE_CLEANUP_FAILED' });
      assert.match(String(error.details['cleanup']), /stuck/);
      assert.equal(order.at(-1), 'still');
      await scope[Symbol.asyncDispose]();
    }));

  it('an ephemeral box goes when what is done with it throws', (t) =>
    withEngine(t, async (bed) => {
      await bed.engine.run(IMAGE, ['true']);
      await (async () => {
        await using box = await bed.engine.containers.ephemeral({ image: IMAGE, command: ['sleep', '100'] });
        await box.exec(['true']);
      })();
      const before = listing(bed);
      let pid = 0;
      await assert.rejects(
        async () => {
          await using box = await bed.engine.containers.ephemeral({ image: IMAGE, command: ['sleep', '100'] });
          pid = box.pid;
          await box.exec(['false'], { check: true });
        },
        { reason: 'NON_ZERO_EXIT' },
      );
      assert.equal(runs(pid), false);
      assert.deepEqual(listing(bed), before);
    }));
});

describe('odd characters', () => {
  it('in the paths of root and run dir, in sources and targets of mounts, in labels and environment', (t) => {
    if (!canRun(t)) return;
    return withTempRoot(async ({ dir }) => {
      const odd = 'a:b,c d\\e"f\ng';
      const root = join(dir, `root ${odd}`);
      const source = join(dir, `source ${odd}`);
      mkdirSync(source);
      writeFileSync(join(source, 'file'), 'inside\n');
      await using engine = await Engine.open({ root, runDir: join(dir, `run ${odd}`), defaultRuntime: 'runc' });
      await engine.images.import(busyboxTree(), { format: 'rootfs', reference: IMAGE });
      const target = `/mnt ${odd}`;
      const options = {
        mounts: [
          { type: 'bind' as const, source, target },
          { type: 'tmpfs' as const, target: `/tmp/${odd}` },
        ],
        labels: { [odd]: odd, ...JSON.parse('{"__proto__":"x"}') },
        env: { ODD: odd },
      };
      const script = 'cat "$1/file"; printf %s "$ODD"; touch "/tmp/$ODD/x"';
      const result = await engine.run(IMAGE, ['sh', '-c', script, 'sh', target], options);
      assert.equal(result.stderr, '');
      assert.equal(result.stdout, `inside\n${odd}`);
      for (const supervisor of ['conmon', 'shim'] as const) {
        const container = await engine.containers.run({
          image: IMAGE,
          command: ['sh', '-c', 'echo up; sleep 100'],
          supervisor,
          ...options,
        });
        try {
          for await (const entry of container.logs({ follow: true })) {
            assert.equal(entry.data.toString().trim(), 'up');
            break;
          }
          assert.equal((await container.exec(['cat', `${target}/file`])).stdout, 'inside\n');
          assert.equal((await container.inspect()).options.labels?.[odd], odd);
        } finally {
          await container.remove({ force: true });
        }
      }
    });
  });
});
