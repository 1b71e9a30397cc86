import assert from 'node:assert/strict';
import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Engine } from 'caisson';
import { type Bed, failsCleanly, IMAGE, rejectsWith, withEngine } from '#support/engine-bed.js';

/** A program that stands in for a runtime; `script` sees the arguments of a call. */
function fakeRuntime(bed: Bed, name: string, script: string): string {
  const path = join(bed.dir, name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

const VERSION_ONLY = 'for a; do [ "$a" = --version ] && { echo "runc version 1.3.0"; exit 0; }; done';

describe('runtimes that do not work', () => {
  it('missing, not executable, silent, too old: found before anything is made', (t) =>
    withEngine(t, async (bed) => {
      const noExec = join(bed.dir, 'no-exec');
      writeFileSync(noExec, '#!/bin/sh\n');
      const engine = await bed.open({
        runtimes: {
          gone: join(bed.dir, 'gone'),
          noexec: noExec,
          silent: fakeRuntime(bed, 'silent', 'exit 0'),
          failing: fakeRuntime(bed, 'failing', 'exit 3'),
          garbled: fakeRuntime(bed, 'garbled', 'echo "\u001b[31m what?"'),
          old: fakeRuntime(bed, 'old', 'echo "runc version 1.0.3"'),
          oldcrun: fakeRuntime(bed, 'oldcrun', 'echo "crun version 0.19"'),
        },
      });
      await engine.run(IMAGE, ['true']);
      const cases = {
        gone: 'RUNTIME_MISSING',
        noexec: 'RUNTIME_MISSING',
        silent: 'RUNTIME_BROKEN',
        failing: 'RUNTIME_BROKEN',
        garbled: 'RUNTIME_BROKEN',
        old: 'RUNTIME_TOO_OLD',
        oldcrun: 'RUNTIME_TOO_OLD',
      } as const;
      for (const [runtime, reason] of Object.entries(cases)) {
        const expected = { reason, names: [`"${runtime}"`] };
        await failsCleanly(bed, () => engine.run(IMAGE, ['true'], { runtime }), { ...expected, exitCode: 125 });
        await failsCleanly(bed, () => engine.containers.create({ image: IMAGE, command: ['true'], runtime }), expected);
      }
      const old = await rejectsWith(engine.run(IMAGE, ['true'], { runtime: 'old' }), { reason: 'RUNTIME_TOO_OLD' });
      assert.match(old.message, /1\.0\.3.*1\.1\.0/);
      const garbled = await rejectsWith(engine.run(IMAGE, ['true'], { runtime: 'garbled' }), {
        reason: 'RUNTIME_BROKEN',
      });
      assert.doesNotMatch(garbled.message, /\u001b/);
    }));

  it('exits at once: an error with what it said, never an exit code of the container', (t) =>
    withEngine(t, async (bed) => {
      const runtimes = {
        zero: fakeRuntime(bed, 'zero', `${VERSION_ONLY}; exit 0`),
        one: fakeRuntime(bed, 'one', `${VERSION_ONLY}; echo "lost in space" >&2; exit 1`),
        killed: fakeRuntime(bed, 'killed', `${VERSION_ONLY}; kill -KILL $$`),
        slow: fakeRuntime(bed, 'slow', `${VERSION_ONLY}; sleep 0.2; exit 1`),
      };
      const engine = await bed.open({ runtimes });
      await engine.run(IMAGE, ['true']);
      for (const runtime of Object.keys(runtimes)) {
        // The runtime's own state directory is made with its first use.
        await rejectsWith(engine.run(IMAGE, ['true'], { runtime }), { reason: 'RUNTIME_FAILED', exitCode: 125 });
        const expected = {
          reason: 'RUNTIME_FAILED' as const,
          names: [`"${runtime}"`, /exit code (0|1|137)/],
        };
        const error = await failsCleanly(bed, () => engine.run(IMAGE, ['true'], { runtime }), expected);
        assert.equal(error.details['stderrTail'], runtime === 'one' ? 'lost in space\n' : '');
        await failsCleanly(
          bed,
          () => engine.containers.ephemeral({ image: IMAGE, command: ['sleep', '9'], runtime }),
          expected,
        );
      }
    }));

  it('exits at once under a supervisor: the start fails, the container stays as it was and says why', (t) =>
    withEngine(t, async (bed) => {
      const bad = fakeRuntime(bed, 'bad', `${VERSION_ONLY}; echo "lost in space" >&2; exit 1`);
      const engine = await bed.open({ runtimes: { bad } });
      for (const supervisor of ['conmon', 'shim'] as const) {
        const container = await engine.containers.create({
          image: IMAGE,
          command: ['true'],
          runtime: 'bad',
          supervisor,
        });
        const error = await rejectsWith(container.start(), {
          reason: supervisor === 'conmon' ? 'SUPERVISOR_FAILED' : 'RUNTIME_FAILED',
          // containerd's shim keeps the runtime's stderr to itself.
          names: [supervisor === 'conmon' ? 'lost in space' : 'exit status 1'],
          exitCode: 125,
        });
        const details = await container.inspect();
        assert.equal(details.status, 'created');
        assert.deepEqual(details.error, { code: error.code, reason: error.reason, message: error.message });
        assert.equal(existsSync(join(bed.runDir, 'containers', container.id)), false);
        await container.remove();
      }
    }));

  it('appears later: the next call works', (t) =>
    withEngine(t, async (bed) => {
      const late = join(bed.dir, 'late');
      const engine = await bed.open({ runtimes: { late } });
      await rejectsWith(engine.run(IMAGE, ['true'], { runtime: 'late' }), { reason: 'RUNTIME_MISSING', names: [late] });
      fakeRuntime(bed, 'late', 'exec runc "$@"');
      assert.equal((await engine.run(IMAGE, ['true'], { runtime: 'late' })).exitCode, 0);
    }));

  it('unknown default runtime, unknown options, unbuilt drivers: open refuses', (t) =>
    withEngine(t, async (bed) => {
      const places = { root: bed.root, runDir: bed.runDir };
      await failsCleanly(bed, () => Engine.open({ ...places, defaultRuntime: 'warp' }), {
        reason: 'BAD_OPTION',
        names: ['defaultRuntime', '"warp"'],
      });
      await failsCleanly(bed, () => Engine.open({ ...places, rott: '/x' } as never), {
        reason: 'UNKNOWN_OPTION',
        names: ['rott'],
      });
      await failsCleanly(bed, () => Engine.open({ ...places, networkDrivers: [{}] }), {
        reason: 'NOT_BUILT_YET',
        names: ['networkDrivers'],
      });
      await failsCleanly(bed, () => Engine.open({ ...places, mtu: 5 }), { reason: 'BAD_OPTION', names: ['mtu', '5'] });
    }));
});
