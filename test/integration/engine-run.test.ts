import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { IMAGE, listing, rejectsWith, withEngine } from '#support/engine-bed.js';

describe('engine.run', () => {
  it('collects both streams as text and bytes, with the exit code', (t) =>
    withEngine(t, async ({ engine }) => {
      const result = await engine.run(IMAGE, ['sh', '-c', 'printf "ä\\377"; echo err >&2; exit 7']);
      assert.equal(result.exitCode, 7);
      assert.deepEqual([...result.stdoutBytes], [0xc3, 0xa4, 0xff]);
      assert.equal(result.stdout, 'ä\ufffd');
      assert.equal(result.stderr, 'err\n');
      assert.ok(result.durationMs > 0);
    }));

  it('gives every kind of exit code', (t) =>
    withEngine(t, async ({ engine }) => {
      const codes = await Promise.all(
        [0, 1, 42, 125, 126, 127, 128, 254, 255].map(async (code) => {
          return [code, (await engine.run(IMAGE, ['sh', '-c', `exit ${code}`])).exitCode] as const;
        }),
      );
      for (const [wanted, given] of codes) assert.equal(given, wanted);
      // Pid 1 can't be ended by its own signal unless that is SIGKILL: a child of it can.
      const killed = await engine.run(IMAGE, ['sh', '-c', "sh -c 'kill -TERM $$'; exit $?"]);
      assert.equal(killed.exitCode, 143);
    }));

  it('feeds strings, buffers and streams to stdin, large ones too', (t) =>
    withEngine(t, async ({ engine }) => {
      const big = Buffer.alloc(3 << 20, 'x');
      const [a, b, c, d, none] = await Promise.all([
        engine.run(IMAGE, ['cat'], { input: 'hällo' }),
        engine.run(IMAGE, ['wc', '-c'], { input: big }),
        engine.run(IMAGE, ['cat'], { input: Readable.from(['one ', 'two']) }),
        engine.run(IMAGE, ['cat'], { input: '' }),
        engine.run(IMAGE, ['cat']),
      ]);
      assert.equal(a.stdout, 'hällo');
      assert.equal(b.stdout.trim(), String(big.length));
      assert.equal(c.stdout, 'one two');
      assert.equal(d.stdout, '');
      assert.equal(none.stdout, '', 'without input, stdin is at its end');
    }));

  it('survives a process that does not read its input', (t) =>
    withEngine(t, async ({ engine }) => {
      const unread = await engine.run(IMAGE, ['true'], { input: Buffer.alloc(1 << 20) });
      assert.equal(unread.exitCode, 0);
      const endless = Readable.from(
        (async function* () {
          for (;;) yield Buffer.alloc(1 << 16);
        })(),
      );
      const head = await engine.run(IMAGE, ['head', '-c', '3'], { input: endless });
      assert.equal(head.stdoutBytes.length, 3);
      assert.equal(endless.destroyed, true, 'a source that nobody reads any more is ended');
    }));

  it('fails when its input fails, and leaves nothing', (t) =>
    withEngine(t, async (bed) => {
      await bed.engine.run(IMAGE, ['true']);
      const before = listing(bed);
      const broken = new Readable({
        read() {
          this.destroy(new Error('disk on fire'));
        },
      });
      await rejectsWith(bed.engine.run(IMAGE, ['cat'], { input: broken }), {
        reason: 'INPUT_FAILED',
        names: ['input', 'disk on fire'],
      });
      await rejectsWith(bed.engine.run(IMAGE, ['cat'], { input: 5 as never }), {
        reason: 'BAD_OPTION',
        names: ['input', '5'],
      });
      assert.deepEqual(listing(bed), before);
    }));

  it('ends a process whose output is too large', (t) =>
    withEngine(t, async (bed) => {
      const { engine } = bed;
      const exact = await engine.run(IMAGE, ['head', '-c', '1000', '/dev/zero'], { maxOutputBytes: 1000 });
      assert.equal(exact.stdoutBytes.length, 1000);
      const before = listing(bed);
      for (const stream of ['stdout', 'stderr']) {
        const command = stream === 'stdout' ? 'yes' : 'yes >&2';
        const error = await rejectsWith(engine.run(IMAGE, ['sh', '-c', command], { maxOutputBytes: 5000 }), {
          reason: 'OUTPUT_TOO_LARGE',
          names: [stream, 'maxOutputBytes', '5000'],
        });
        assert.equal(error.details['stream'], stream);
      }
      assert.deepEqual(listing(bed), before);
    }));

  it('ends a process that takes too long, with what it had written', (t) =>
    withEngine(t, async (bed) => {
      await bed.engine.run(IMAGE, ['true']);
      const before = listing(bed);
      const startedAt = Date.now();
      const error = await rejectsWith(
        bed.engine.run(IMAGE, ['sh', '-c', 'trap "" TERM; echo begun; sleep 100'], { timeoutMs: 400 }),
        { reason: 'TIMED_OUT', names: ['timeoutMs', '400'] },
      );
      assert.equal(error.details['stdoutTail'], 'begun\n');
      assert.ok(Date.now() - startedAt < 3000);
      assert.deepEqual(listing(bed), before);
    }));

  it('throws NON_ZERO_EXIT with check', (t) =>
    withEngine(t, async ({ engine }) => {
      const error = await rejectsWith(engine.run(IMAGE, ['sh', '-c', 'echo why >&2; exit 3'], { check: true }), {
        reason: 'NON_ZERO_EXIT',
        names: ['3'],
        exitCode: 3,
      });
      assert.equal(error.details['stderrTail'], 'why\n');
      assert.equal((await engine.run(IMAGE, ['true'], { check: true })).exitCode, 0);
    }));

  it('leaves nothing when it is aborted, whenever that is', (t) =>
    withEngine(t, async (bed) => {
      const { engine } = bed;
      await engine.run(IMAGE, ['true']);
      const before = listing(bed);
      await rejectsWith(engine.run(IMAGE, ['sleep', '100'], { signal: AbortSignal.abort() }), { reason: 'CANCELED' });
      for (let ms = 0; ms <= 90; ms += 6) {
        await rejectsWith(engine.run(IMAGE, ['sleep', '100'], { signal: AbortSignal.timeout(ms) }), {
          reason: 'TIMED_OUT',
        });
        assert.deepEqual(listing(bed), before, `aborted after ${ms} ms`);
      }
      // In the same tick and in microtasks, where no timer can come.
      for (let ticks = 0; ticks < 12; ticks++) {
        const abort = new AbortController();
        const running = engine.run(IMAGE, ['sleep', '100'], { signal: abort.signal });
        running.catch(() => {});
        for (let i = 0; i < ticks; i++) await Promise.resolve();
        abort.abort();
        await rejectsWith(running, { reason: 'CANCELED' });
        assert.deepEqual(listing(bed), before, `aborted after ${ticks} ticks`);
      }
    }));

  it('tells 127, 126 and 125 apart', (t) =>
    withEngine(t, async (bed) => {
      const { engine } = bed;
      await engine.run(IMAGE, ['true']);
      const before = listing(bed);
      await rejectsWith(engine.run(IMAGE, ['no-such-program']), {
        reason: 'COMMAND_NOT_FOUND',
        names: ['no-such-program'],
        exitCode: 127,
      });
      await rejectsWith(engine.run(IMAGE, ['/no/such']), { reason: 'COMMAND_NOT_FOUND', exitCode: 127 });
      await rejectsWith(engine.run(IMAGE, ['/etc/passwd']), {
        reason: 'COMMAND_NOT_EXECUTABLE',
        names: ['/etc/passwd'],
        exitCode: 126,
      });
      await rejectsWith(engine.run(IMAGE, ['/etc']), { reason: 'COMMAND_NOT_EXECUTABLE', exitCode: 126 });
      // The runtime refuses: the kernel has no such value.
      await rejectsWith(engine.run(IMAGE, ['true'], { sysctls: { 'net.ipv4.ip_forward': 'many' } }), {
        reason: 'RUNTIME_FAILED',
        names: ['ip_forward'],
        exitCode: 125,
      });
      assert.deepEqual(listing(bed), before);
    }));

  it('gives a terminal', (t) =>
    withEngine(t, async ({ engine }) => {
      const result = await engine.run(IMAGE, ['sh', '-c', 'tty; stty size; echo to stderr >&2'], {
        tty: true,
        consoleSize: { rows: 31, columns: 97 },
      });
      assert.match(result.stdout, /^\/dev\/(pts\/0|console)\r\n31 97\r\nto stderr\r\n$/);
      assert.equal(result.stderr, '');
    }));
});

describe('engine.spawn', () => {
  it('streams both ways while the process runs', (t) =>
    withEngine(t, async ({ engine }) => {
      const process = await engine.spawn(IMAGE, ['sh', '-c', 'while read l; do echo "<$l>"; done; echo bye >&2'], {
        stdin: true,
      });
      const lines = process.stdout[Symbol.asyncIterator]();
      for (const word of ['one', 'two']) {
        process.stdin?.write(`${word}\n`);
        assert.equal(String((await lines.next()).value), `<${word}>\n`);
      }
      process.stdin?.end();
      assert.equal(await text(process.stderr), 'bye\n');
      assert.deepEqual(await process.exit, { exitCode: 0 });
    }));

  it('has no stdin unless asked for', (t) =>
    withEngine(t, async ({ engine }) => {
      const process = await engine.spawn(IMAGE, ['cat']);
      assert.equal(process.stdin, undefined);
      process.stdout.resume();
      process.stderr.resume();
      assert.equal((await process.exit).exitCode, 0);
    }));

  it('passes signals on and ends for certain with SIGKILL', (t) =>
    withEngine(t, async ({ engine }) => {
      const script = 'trap "echo got; exit 9" USR1; echo ready; while :; do sleep 0.05; done';
      const one = await engine.spawn(IMAGE, ['sh', '-c', script]);
      const output = one.stdout[Symbol.asyncIterator]();
      assert.equal(String((await output.next()).value), 'ready\n');
      assert.equal(one.kill('SIGUSR1'), true);
      assert.equal(String((await output.next()).value), 'got\n');
      assert.deepEqual(await one.exit, { exitCode: 9 });
      assert.equal(one.kill('SIGUSR1'), false);

      const two = await engine.spawn(IMAGE, ['sh', '-c', 'trap "" TERM; echo ready; sleep 100']);
      await two.stdout[Symbol.asyncIterator]().next();
      assert.equal(two.kill('SIGKILL'), true);
      assert.deepEqual(await two.exit, { exitCode: 137 });
    }));

  it('ends with its signal', (t) =>
    withEngine(t, async (bed) => {
      await bed.engine.run(IMAGE, ['true']);
      const before = listing(bed);
      const abort = new AbortController();
      const process = await bed.engine.spawn(IMAGE, ['sleep', '100'], { signal: abort.signal });
      process.stdout.resume();
      process.stderr.resume();
      abort.abort();
      await assert.rejects(process.exit, { code: 'CANCELED', reason: 'CANCELED' });
      assert.deepEqual(listing(bed), before);
    }));

  it('resizes its terminal', (t) =>
    withEngine(t, async ({ engine }) => {
      const script = 'trap "stty size; exit" WINCH; echo ready; while :; do sleep 0.05; done';
      const process = await engine.spawn(IMAGE, ['sh', '-c', script], {
        tty: true,
        consoleSize: { rows: 10, columns: 20 },
      });
      let output = '';
      for await (const chunk of process.stdout) {
        output += chunk;
        if (output.endsWith('ready\r\n')) {
          // The runtime takes the size over when it has set its copying up.
          await delay(50);
          process.resize({ rows: 44, columns: 132 });
        }
      }
      assert.match(output, /44 132\r\n$/);
      assert.deepEqual(await process.exit, { exitCode: 0 });
      const plain = await engine.spawn(IMAGE, ['true']);
      plain.stdout.resume();
      plain.stderr.resume();
      assert.throws(() => plain.resize({ rows: 1, columns: 1 }), { reason: 'BAD_OPTION' });
      await plain.exit;
    }));
});
