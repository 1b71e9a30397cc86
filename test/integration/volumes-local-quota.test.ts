import assert from 'node:assert/strict';
import { chmodSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { EngineError } from '#src/errors/index.js';
import { mount } from '#src/os/syscalls/index.js';
import { runWithQuota } from '#support/quota-machine.js';
import { LocalBed } from './volumes-local-bed.js';

const KILL_JOB = join(import.meta.dirname, 'volumes-local-quota-kill-job.js');
const JOB = join(import.meta.dirname, 'volumes-local-quota-job.js');

describe('a local volume with a size', { skip: process.geteuid?.() !== 0 && 'missing: root' }, () => {
  for (const [fsType, code] of [
    ['ext4', 'EDQUOT'],
    ['xfs', 'ENOSPC'],
  ] as const) {
    it(`takes no more than that on ${fsType}, whoever writes and whenever it was mounted`, async (t) => {
      const bed = new LocalBed(t);
      chmodSync(bed.root, 0o711);
      const answer = await runWithQuota(t, { fsType, dir: bed.root, job: JOB });
      if (answer === undefined) return;
      assert.ok(existsSync(answer), readFileSync(join(bed.root, 'log'), 'utf8'));
      const seen = JSON.parse(readFileSync(answer, 'utf8')) as Record<string, { written: number; code: string }>;
      const { small, again, ...rest } = seen;
      assert.equal(small?.code, code);
      assert.ok(small.written >= 5 && small.written <= 6, `${small.written} MiB`);
      assert.equal(again, 0, 'the limit is back after the next mount');
      assert.deepEqual(rest, {
        other: { written: 12, code: 'none' },
        free: { written: 12, code: 'none' },
        status: { sizeBytes: 6 * 2 ** 20, used: true },
        device: true,
        lifted: 'none',
        freed: 0,
        swept: [0, 0],
        volumes: 10,
        projects: 10,
        inherits: true,
        lost: [4, false],
        adopted: [true, true, 0],
      });
    });
  }

  it('leaves no limit behind when its maker or remover is killed at any step', async (t) => {
    const bed = new LocalBed(t);
    const answer = await runWithQuota(t, { fsType: 'ext4', dir: bed.root, job: KILL_JOB });
    if (answer === undefined) return;
    assert.ok(existsSync(answer), readFileSync(join(bed.root, 'log'), 'utf8'));
    const seen = JSON.parse(readFileSync(answer, 'utf8')) as Record<string, unknown>;
    const { steps, limitsBetween, ...left } = seen as { steps: number; limitsBetween: number };
    assert.ok(steps > 20, `${steps} steps`);
    assert.ok(limitsBetween > 3, `${limitsBetween} kills left a limit to the next sweep`);
    assert.deepEqual(left, { volumes: [], limits: [], staged: [] });
  });

  it('is refused where the file system can not keep it, and leaves nothing', async (t) => {
    const bed = new LocalBed(t);
    mount('caisson-test', bed.make('volumes'), 'tmpfs', 0, 'size=1m,mode=0700');
    await using driver = await bed.open();
    await assert.rejects(driver.create({ name: 'small', options: { size: '1m' } }), (error) => {
      assert.ok(EngineError.is(error, 'NOT_IMPLEMENTED', 'LOCAL_VOLUME_NO_QUOTA'), String(error));
      assert.match(error.message, /file system tmpfs at ".*volumes" has no project quotas/);
      return true;
    });
    assert.equal(await driver.get('small'), undefined);
    assert.deepEqual(readdirSync(join(bed.dir, '.staging')), []);
  });
});
