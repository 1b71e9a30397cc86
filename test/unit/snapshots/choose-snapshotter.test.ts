import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { EngineError, engineError } from '#src/errors/index.js';
import { mountAll, unmount } from '#src/os/index.js';
import { chooseSnapshotter, probeOverlay } from '#src/snapshots/index.js';

const broken = async () => ({
  usable: false,
  volatileSupported: false,
  error: engineError('SYSCALL_FAILED', 'mount failed with EINVAL', { details: { errno: 'EINVAL' } }),
});
const works = async () => ({ usable: true, volatileSupported: false });

describe('chooseSnapshotter', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'choose-'));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it('takes overlay where it works, else vfs', async () => {
    assert.equal((await chooseSnapshotter({ dir, probe: works })).name, 'overlay');
    assert.equal((await chooseSnapshotter({ dir, probe: broken })).name, 'vfs');
    assert.equal((await chooseSnapshotter({ dir, probe: works, preference: 'vfs' })).name, 'vfs');
    assert.equal(statSync(join(dir, 'overlay')).mode & 0o777, 0o700);
  });

  it('throws NO_SNAPSHOTTER with the reason when overlay is asked for and does not work', async () => {
    await assert.rejects(chooseSnapshotter({ dir, probe: broken, preference: 'overlay' }), (error) => {
      assert.ok(EngineError.is(error, 'FAILED_PRECONDITION', 'NO_SNAPSHOTTER'));
      assert.equal(error.details['errno'], 'EINVAL');
      assert.match(error.message, /EINVAL/);
      return true;
    });
    await assert.rejects(chooseSnapshotter({ dir, preference: 'zfs' as 'vfs' }), (error) =>
      EngineError.is(error, 'FAILED_PRECONDITION', 'NO_SNAPSHOTTER'),
    );
  });

  it('stays with the snapshotter that holds the layers', async () => {
    mkdirSync(join(dir, 'vfs/committed/layer'), { recursive: true });
    assert.equal((await chooseSnapshotter({ dir, probe: works })).name, 'vfs');
    assert.equal((await chooseSnapshotter({ dir, probe: works, preference: 'overlay' })).name, 'overlay');
    mkdirSync(join(dir, 'overlay/committed/layer'), { recursive: true });
    assert.equal((await chooseSnapshotter({ dir, probe: works })).name, 'overlay');
    await assert.rejects(chooseSnapshotter({ dir, probe: broken }), (error) =>
      EngineError.is(error, undefined, 'NO_SNAPSHOTTER'),
    );
  });

  it('leaves the option volatile out where the kernel does not know it', async () => {
    const snapshotter = await chooseSnapshotter({ dir, probe: works });
    await snapshotter.prepare('base', undefined);
    await snapshotter.commit('layer', 'base');
    const mounts = await snapshotter.prepare('c', 'layer', { volatile: true });
    assert.ok(!mounts[0]?.options.includes('volatile'));
  });
});

describe('probeOverlay', { skip: process.geteuid?.() === 0 ? false : 'missing: root' }, () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'probe-'));
  });
  afterEach(() => {
    unmount(dir, { lazy: true });
    rmSync(dir, { recursive: true, force: true });
  });

  it('finds overlay on tmpfs, keeps the answer, and leaves no mount or directory', async () => {
    mountAll([{ type: 'tmpfs', source: 'tmpfs', options: ['size=4m'] }], dir);
    assert.equal((await probeOverlay(dir)).usable, true);
    assert.deepEqual(readdirSync(dir), ['overlay-probe.json']);
    assert.equal((await probeOverlay(dir)).usable, true);
    writeFileSync(join(dir, 'overlay-probe.json'), '{"bootId":"other","usable":true}');
    assert.equal((await probeOverlay(dir)).usable, true);
    writeFileSync(join(dir, 'overlay-probe.json'), '[nul');
    assert.equal((await probeOverlay(dir)).usable, true);
  });

  it('finds that overlay on an overlay does not work, and says why', async () => {
    mountAll([{ type: 'tmpfs', source: 'tmpfs', options: ['size=4m'] }], dir);
    for (const name of ['l', 'u', 'w', 'm']) mkdirSync(join(dir, name));
    const merged = join(dir, 'm');
    const options = [`lowerdir=${dir}/l`, `upperdir=${dir}/u`, `workdir=${dir}/w`];
    mountAll([{ type: 'overlay', source: 'overlay', options }], merged);
    try {
      const probe = await probeOverlay(merged);
      assert.equal(probe.usable, false);
      assert.ok(EngineError.is(probe.error));
      assert.deepEqual(readdirSync(merged), []);
    } finally {
      unmount(merged, { lazy: true });
    }
  });
});
