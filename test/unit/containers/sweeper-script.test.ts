import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { SWEEP_SCRIPT, WATCH_SCRIPT } from '#src/containers/ephemeral/sweeper-script.js';
import { requireBinary } from '#support/require.js';
import { tempDir } from '#support/roots.js';
import { run } from '#support/run.js';

const SHELLS: [string, string[]][] = [
  ['dash', []],
  ['busybox', ['sh']],
  ['bash', ['--posix']],
];

describe('the texts of the sweeper', () => {
  for (const [program, args] of SHELLS) {
    for (const [name, text] of Object.entries({ watch: WATCH_SCRIPT, sweep: SWEEP_SCRIPT })) {
      it(`${program} understands the ${name} text`, async (t) => {
        const shell = requireBinary(t, program);
        if (shell === undefined) return;
        const { code, stderr } = await run(shell, [...args, '-n'], { input: text });
        assert.deepEqual([code, stderr], [0, '']);
      });
    }

    it(`${program} sweeps what a dead host listed, and nothing beside it`, async (t) => {
      const shell = requireBinary(t, program);
      if (shell === undefined) return;
      const dir = tempDir(t);
      const [session, runDir, cgroups] = ['s with space', 'run', 'cgroups'].map((name) => join(dir, name)) as [
        string,
        string,
        string,
      ];
      const id = 'a'.repeat(64);
      const odd = join(dir, 'own\nline *');
      for (const path of [
        `${session}/c/${id}/own`,
        `${session}/c/${id}/rootfs`,
        `${session}/x/t`,
        odd,
        join(dir, 'kept'),
        `${cgroups}/p/caisson-${id}`,
        `${cgroups}/p/other`,
      ])
        mkdirSync(path, { recursive: true });
      for (const name of [id, 'b'.repeat(64)]) mkdirSync(`${runDir}/runtime/runc/${name}`, { recursive: true });
      symlinkSync(odd, `${session}/c/${id}/own/0`);
      symlinkSync(join(dir, 'gone already'), `${session}/c/${id}/own/1`);
      writeFileSync(join(odd, 'file'), '');
      writeFileSync(`${session}/x/t/pid`, String(process.pid));
      writeFileSync(`${session}/owner.json`, '');
      // No such group: this test has no process to end.
      const group = '4194303';
      const script = [...args, '-c', SWEEP_SCRIPT, 'sweep', group, session, runDir, '/p', cgroups];
      const { code, stdout } = await run(shell, script, { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } });
      assert.deepEqual([code, stdout], [0, '']);
      assert.equal(existsSync(odd), false, 'what the container owned');
      assert.deepEqual(readdirSync(`${session}/c`), []);
      assert.equal(existsSync(`${session}/x`), false);
      assert.deepEqual(readdirSync(`${runDir}/runtime/runc`), ['b'.repeat(64)]);
      assert.deepEqual(readdirSync(`${cgroups}/p`), ['other']);
      assert.ok(existsSync(join(dir, 'kept')) && existsSync(`${session}/owner.json`));
    });

    it(`${program} watches until end of file, and ends when there is nothing to sweep`, async (t) => {
      const shell = requireBinary(t, program);
      if (shell === undefined) return;
      const script = [...args, '-c', WATCH_SCRIPT, 'watch', 'exit 99', tempDir(t), '/nowhere', '/p'];
      assert.equal((await run(shell, script, { input: 'line\n\nanother without end' })).code, 0);
    });

    it(`${program} hands over to the sweep in a session of its own`, async (t) => {
      const shell = requireBinary(t, program);
      if (shell === undefined) return;
      const dir = tempDir(t);
      mkdirSync(join(dir, 'c'));
      const sweep = 'printf "%s\\n" "$@"; echo "$$ $(cut -d" " -f6 /proc/$$/stat)"';
      const script = [...args, '-c', WATCH_SCRIPT, 'watch', sweep, dir, '/run dir', '/p', '/m1', '/m2'];
      const lines = (await run(shell, script)).stdout.trim().split('\n');
      const [group, ...rest] = lines;
      const [pid, session] = (rest.pop() ?? '').split(' ');
      assert.deepEqual(rest, [dir, '/run dir', '/p', '/m1', '/m2']);
      assert.match(group ?? '', /^\d+$/);
      assert.equal(session, pid, 'it has left the group that it is about to end');
    });
  }
});
