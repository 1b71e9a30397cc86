import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { SWEEP_SCRIPT } from '#src/containers/ephemeral/sweeper-script.js';
import { bindSubpath } from '#src/containers/volumes/subpath-mounts.js';
import { unmount } from '#src/os/index.js';
import type { VolumeMountPoint } from '#src/spec/index.js';
import { newId, newToken } from '#src/util/ids.js';
import { command, DeathBed, GONE_LIMIT_MS, pids } from '#support/death-bed.js';
import { requireBinary, requireRoot } from '#support/require.js';
import { tempDir } from '#support/roots.js';
import { run } from '#support/run.js';

const ENV = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };

function ready(t: Parameters<typeof requireBinary>[0]): boolean {
  return requireRoot(t) && requireBinary(t, 'runc') !== undefined && requireBinary(t, 'busybox') !== undefined;
}

describe('volumes without a name of a host that was killed', () => {
  it('are gone within a second', async (t) => {
    if (!ready(t)) return;
    await using bed = new DeathBed({ name: `it's "a" b` });
    await bed.importImage();
    const host = bed.startHost({ job: 'boxes', count: 3, extra: { binds: ['/data', '/made/here'] } });
    await host.message();
    const places = join(bed.root, 'v1/volumes/throwaway');
    assert.equal(readdirSync(places).length, 3);
    host.kill();
    const { left } = await bed.goneWithin(GONE_LIMIT_MS);
    assert.deepEqual([left, readdirSync(places)], [[], []]);
  });

  it('are gone with the next open when the sweeper died too, or the run dir was wiped', async (t) => {
    if (!ready(t)) return;
    await using bed = new DeathBed();
    await bed.importImage();
    const host = bed.startHost({ job: 'boxes', count: 1, extra: { binds: ['/data'] } });
    await host.message();
    const places = join(bed.root, 'v1/volumes/throwaway');
    const sweepers = pids().filter(
      (pid) => command(pid).includes('caisson-watch') && command(pid).includes(bed.runDir),
    );
    host.child.kill('SIGSTOP');
    for (const pid of sweepers) process.kill(pid, 'SIGKILL');
    host.kill();
    await host.ended;
    assert.equal(readdirSync(places).length, 1);
    // As after a reboot: nobody's list has it.
    mkdirSync(join(places, newId()));
    mkdirSync(join(places, newToken()));
    await using _engine = await bed.open();
    assert.deepEqual(readdirSync(places), []);
  });
});

describe('the sweep of subpaths', () => {
  for (const shell of ['dash', 'busybox']) {
    it(`with ${shell}: unmounts them before it deletes, and never deletes through one`, async (t) => {
      const program = requireBinary(t, shell);
      if (program === undefined || !requireRoot(t)) return;
      const dir = tempDir(t, 'sweep');
      const volume = join(dir, 'volume');
      mkdirSync(join(volume, 'sub'), { recursive: true });
      writeFileSync(join(volume, 'sub/kept'), '');
      const session = join(dir, newToken());
      const id = newId();
      const own = join(session, 'c', id);
      mkdirSync(join(own, 'rootfs'), { recursive: true });
      bindSubpath(own, volume, { field: 'mounts[0]', name: 'vol', subpath: 'sub' } as VolumeMountPoint);
      const args = shell === 'busybox' ? ['sh'] : [];
      // Beyond the largest pid: this test has no process to end.
      const sweep = (script: string) =>
        run(program, [...args, '-c', script, 'sweep', '4194305', session, '/p', join(dir, 'cgroups')], { env: ENV });
      try {
        // A umount that fails: what is still mounted must stay.
        await sweep(`umount() { :; }\n${SWEEP_SCRIPT}`);
        assert.deepEqual(readdirSync(join(volume, 'sub')), ['kept']);
        assert.deepEqual(readdirSync(join(session, 'c')), [id]);
        await sweep(SWEEP_SCRIPT);
        assert.deepEqual(readdirSync(join(volume, 'sub')), ['kept']);
        assert.deepEqual(readdirSync(join(session, 'c')), []);
      } finally {
        if (existsSync(`${own}/v/0`)) unmount(`${own}/v/0`, { lazy: true });
      }
    });
  }
});
