import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { SWEEP_SCRIPT, WATCH_SCRIPT } from '#src/containers/ephemeral/sweeper-script.js';
import { newId, newToken } from '#src/util/ids.js';
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
      const [id, other] = [newId(), newId()];
      const [session, owners, cgroups] = [`s ${newToken()}`, 'owners\nline *', 'cgroups'].map((name) =>
        join(dir, name),
      ) as [string, string, string];
      for (const name of [id, other]) {
        mkdirSync(`${owners}/${name}/fs`, { recursive: true });
        mkdirSync(`${cgroups}/p/caisson-${name}/below`, { recursive: true });
      }
      for (const path of ['own', `c/${id}/rootfs`, 'x/t']) mkdirSync(`${session}/${path}`, { recursive: true });
      symlinkSync(owners, `${session}/own/0`);
      symlinkSync(join(dir, 'gone already'), `${session}/own/1`);
      writeFileSync(`${owners}/${id}/fs/file`, '');
      writeFileSync(`${session}/owner.json`, '');
      // Beyond the largest pid: this test has no process to end.
      const nobody = '4194305';
      writeFileSync(`${session}/x/t/pid`, nobody);
      const script = [...args, '-c', SWEEP_SCRIPT, 'sweep', nobody, session, '/p', cgroups];
      const { code, stdout } = await run(shell, script, { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } });
      assert.deepEqual([code, stdout], [0, '']);
      assert.deepEqual(readdirSync(owners), [other], 'what the container owned');
      assert.deepEqual(readdirSync(`${session}/c`), []);
      assert.equal(existsSync(`${session}/x`), false);
      assert.deepEqual(readdirSync(`${cgroups}/p`), [`caisson-${other}`]);
      assert.ok(existsSync(`${session}/owner.json`));
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
