import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { LogEntry } from 'caisson';
import { IMAGE, rejectsWith, withEngine } from '#support/engine-bed.js';

async function all(entries: AsyncIterable<LogEntry>): Promise<string[]> {
  const lines: string[] = [];
  for await (const entry of entries) lines.push(entry.text);
  return lines;
}

describe('a throwaway container as its user sees it', () => {
  it('gives its output after its end, until it is removed', (t) =>
    withEngine(t, async ({ engine, runDir }) => {
      const box = await engine.containers.ephemeral({
        image: IMAGE,
        command: ['sh', '-c', 'echo first; seq 20000; printf "no newline"'],
      });
      assert.deepEqual(await box.wait(), { exitCode: 0 });
      const lines = await all(box.logs());
      assert.equal(lines.length, 20_002);
      assert.equal(lines[0], 'first');
      assert.equal(lines.at(-1), 'no newline');
      await rejectsWith(box.exec(['true']), { code: 'FAILED_PRECONDITION', reason: 'CONTAINER_NOT_RUNNING' });
      await box.remove();
      await box.remove();
      assert.deepEqual(await all(box.logs()), []);
      const left = readdirSync(`${runDir}/sessions`, { recursive: true }).map(String);
      assert.deepEqual(
        left.filter((path) => path.includes(box.id)),
        [],
      );
    }));

  it('shows what it is, and get says whose it is', (t) =>
    withEngine(t, async ({ engine }) => {
      const box = await engine.containers.ephemeral({ image: IMAGE, name: 'mine', command: ['sleep', '60'] });
      assert.match(String(JSON.stringify(box)), new RegExp(`"id":"${box.id}","name":"mine"`));
      assert.equal(box.constructor.name, 'EphemeralContainer');
      for (const reference of ['mine', box.id, box.id.slice(0, 12)]) {
        await rejectsWith(engine.containers.get(reference), {
          code: 'NOT_FOUND',
          reason: 'CONTAINER_EPHEMERAL',
          names: [reference, `process ${process.pid}`],
        });
        assert.equal(await engine.containers.find(reference), undefined);
      }
      assert.equal((await engine.containers.list({ kind: 'ephemeral' }))[0]?.id, box.id);
      assert.deepEqual(await engine.containers.list({ kind: 'durable' }), []);
      await box.remove();
    }));

  it('rejects the exit of a process whose signal was aborted', (t) =>
    withEngine(t, async ({ engine }) => {
      const controller = new AbortController();
      const own = await engine.spawn(IMAGE, ['sleep', '60'], { signal: controller.signal });
      const box = await engine.containers.ephemeral({ image: IMAGE, command: ['sleep', '60'] });
      const entered = await box.spawn(['sleep', '60'], { signal: controller.signal });
      controller.abort();
      await rejectsWith(own.exit, { code: 'CANCELED', reason: 'CANCELED' });
      await rejectsWith(entered.exit, { code: 'CANCELED', reason: 'CANCELED' });
      await box.remove();
    }));

  it('takes a signal that comes before the process runs for what it is', (t) =>
    withEngine(t, async ({ engine }) => {
      const running = await engine.spawn(IMAGE, ['sleep', '60']);
      assert.throws(() => running.kill('SIGNOTHING'), { reason: 'BAD_SIGNAL' });
      assert.equal(running.kill('TERM'), true);
      const ended = await Promise.race([running.exit, delay(1000).then(() => undefined)]);
      if (ended === undefined) running.kill('SIGKILL');
      assert.ok([137, 143].includes((await running.exit).exitCode));
      assert.equal(running.kill('SIGKILL'), false);
    }));

  it('leaves neither process nor zombie of an exec that is killed or timed out', (t) =>
    withEngine(t, async ({ engine }) => {
      const box = await engine.containers.ephemeral({ image: IMAGE, command: ['sleep', '60'] });
      const running = await box.spawn(['sh', '-c', 'echo up; exec sleep 61']);
      assert.equal(
        String(
          await running.stdout
            .iterator({ destroyOnReturn: false })
            .next()
            .then((r) => r.value),
        ),
        'up\n',
      );
      assert.equal(running.kill('SIGKILL'), true);
      assert.deepEqual(await running.exit, { exitCode: 137 });
      await rejectsWith(box.exec(['sleep', '62'], { timeoutMs: 400 }), { reason: 'TIMED_OUT' });
      const { stdout } = await box.exec(['sh', '-c', 'cat /proc/[0-9]*/stat']);
      assert.equal(stdout.includes(' Z '), false, stdout);
      assert.equal(stdout.match(/\(sleep\)/g)?.length, 1, stdout);
      await box.remove();
    }));
});

describe('a durable container as its user sees it', () => {
  it('reads what is written to its stdin, and its end', (t) =>
    withEngine(t, async ({ engine }) => {
      const deaf = await engine.containers.create({ image: IMAGE, command: ['cat'] });
      await rejectsWith(deaf.stdin(), { code: 'FAILED_PRECONDITION', reason: 'NO_STDIN' });
      const container = await engine.containers.create({ image: IMAGE, command: ['cat'], openStdin: true });
      await rejectsWith(container.stdin(), { code: 'FAILED_PRECONDITION', reason: 'CONTAINER_NOT_RUNNING' });
      await container.start();
      (await container.stdin()).end('one\ntwo\n');
      assert.equal((await container.wait()).exitCode, 0);
      assert.deepEqual(await all(container.logs()), ['one', 'two']);
    }));

  it('is followed from before its start', (t) =>
    withEngine(t, async ({ engine }) => {
      const container = await engine.containers.create({ image: IMAGE, command: ['sh', '-c', 'echo a; echo b >&2'] });
      const lines = all(container.logs({ follow: true }));
      await delay(50);
      await container.start();
      assert.deepEqual((await lines).sort(), ['a', 'b']);
    }));

  it('is inspected with the fields of its row in the list', (t) =>
    withEngine(t, async ({ engine }) => {
      const labels = { role: 'web' };
      const container = await engine.containers.create({ image: IMAGE, command: ['true'], labels });
      const [row] = await engine.containers.list({ all: true });
      const details = await container.inspect({ size: true });
      for (const [key, value] of Object.entries(row as object)) {
        assert.deepEqual((details as unknown as Record<string, unknown>)[key], value, key);
      }
      assert.equal(details.image, IMAGE);
      assert.equal(typeof details.rootUsage?.bytes, 'number');
      assert.equal((await container.inspect()).rootUsage, undefined);
    }));
});

describe('a scope', () => {
  it('refuses what comes after its end and removes what was under way', (t) =>
    withEngine(t, async ({ engine }) => {
      const scope = engine.scope();
      const late = scope.ephemeral({ image: IMAGE, command: ['sleep', '60'] });
      await scope.close();
      await rejectsWith(late, { code: 'FAILED_PRECONDITION', reason: 'CLOSED' });
      await rejectsWith(scope.run({ image: IMAGE, command: ['sleep', '60'] }), { reason: 'CLOSED' });
      assert.throws(() => scope.defer(() => {}), { reason: 'CLOSED' });
      assert.deepEqual(await engine.containers.list({ all: true }), []);
    }));
});

describe('the engine as its user sees it', () => {
  it('rejects every call after close, and throws none of them', (t) =>
    withEngine(t, async ({ open }) => {
      const engine = await open();
      await engine.close();
      const calls = [
        () => engine.run(IMAGE, ['true']),
        () => engine.spawn(IMAGE, ['true']),
        () => engine.info(),
        () => engine.doctor(),
        () => engine.images.list(),
        () => engine.images.get(IMAGE),
        () => engine.containers.list(),
      ];
      for (const call of calls) {
        let work: Promise<unknown> | undefined;
        assert.doesNotThrow(() => {
          work = call();
        });
        await rejectsWith(work as Promise<unknown>, { reason: 'CLOSED' });
      }
    }));

  it('refuses mistyped options of lists and loops instead of ignoring them', (t) =>
    withEngine(t, async ({ engine }) => {
      const mistyped = { lables: { a: 'b' } } as object;
      const calls = [
        () => engine.containers.list(mistyped),
        () => engine.images.list(mistyped),
        () => engine.images.fromHost({ executables: ['true'], ...mistyped }),
        async () => engine.events(mistyped),
      ];
      for (const call of calls) {
        await rejectsWith(call(), { reason: 'UNKNOWN_OPTION', names: ['lables', 'labels'] });
      }
      await rejectsWith(engine.run(IMAGE, ['true'], { image: 'other' } as object), { reason: 'CONFLICTING_OPTIONS' });
      const since = '10m' as unknown as Date;
      await rejectsWith(async () => engine.events({ since }), { reason: 'BAD_OPTION', names: ['since', '10m'] });
    }));

  it('tells people in one text what the host lacks', (t) =>
    withEngine(t, async ({ engine }) => {
      const { summary, findings } = await engine.doctor();
      for (const { level, what } of findings) assert.equal(summary.includes(`: ${what}: `), level !== 'ok', what);
      assert.match(summary, /containers can run here: 0 errors, \d+ warnings, \d+ fine$/);
    }));

  it('gives the streams of a spawned process as Node streams', (t) =>
    withEngine(t, async ({ engine }) => {
      const running = await engine.spawn(IMAGE, ['cat'], { stdin: true });
      running.stdin?.end('grüße');
      assert.equal(await text(running.stdout), 'grüße');
      assert.deepEqual(await running.exit, { exitCode: 0 });
    }));
});
