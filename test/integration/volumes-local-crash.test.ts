import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { readMountInfo } from '#src/os/index.js';
import { LocalBed } from './volumes-local-bed.js';

const WORKLOAD = join(import.meta.dirname, 'volumes-local-workload.js');
const FAILPOINTS = pathToFileURL(join(import.meta.dirname, '../support/failpoints.js')).href;

const TYPES: ReadonlyMap<string, string> = new Map([
  ['mem', 'tmpfs'],
  ['ram', 'ramfs'],
]);

/** What the next process finds and does. */
async function check(bed: LocalBed, step: string): Promise<{ mounted: number; volumes: number }> {
  await using driver = await bed.open();
  await driver.swept;
  for (const part of ['.staging', '.trash']) assert.deepEqual(readdirSync(join(bed.dir, part)), [], step);
  const volumes = await driver.list();
  let mounted = 0;
  for (const { name } of volumes) {
    const status = (await driver.get(name))?.status;
    assert.equal(status?.['type'], TYPES.get(name), `${step}: ${name} has its options`);
    const mounts = bed.mountsAt(bed.data(name)).length;
    mounted += mounts;
    assert.ok(mounts <= 1);
    await driver.mount({ name, id: 'later' });
    assert.equal(bed.mountsAt(bed.data(name)).length, TYPES.has(name) ? 1 : 0, step);
    // What a store does for the holders it has written down, in whatever state they were.
    for (const id of ['later', 'first', 'second']) await driver.unmount({ name, id });
    assert.deepEqual(bed.mountsAt(bed.data(name)), [], step);
    await driver.remove(name);
  }
  assert.deepEqual(await driver.list(), []);
  const left = readMountInfo().filter((one) => one.mountPoint.startsWith(bed.root));
  assert.deepEqual(left, [], step);
  return { mounted, volumes: volumes.length };
}

describe('local volumes of processes that are killed', { skip: process.geteuid?.() !== 0 && 'missing: root' }, () => {
  for (const [what, least, skip] of [
    ['lifecycle', 40, 0],
    // The first steps, those of opening, are the same.
    ['process', 40, 20],
  ] as const) {
    it(`are whole or gone after a kill at any step of a ${what}, and no mount is left without a holder`, async (t) => {
      const run = (root: string, at: number) =>
        spawnSync(process.execPath, ['--import', `${FAILPOINTS}?at=${at}`, WORKLOAD, root, what], { encoding: 'utf8' });
      const whole = run(new LocalBed(t).root, 0);
      assert.equal(whole.status, 0, whole.stderr);
      const steps = Number(whole.stdout);
      assert.ok(steps > least, `${steps} steps`);
      const seen = { mounted: 0, volumes: 0 };
      for (let at = skip + 1; at <= steps; at++) {
        const bed = new LocalBed(t);
        const killed = run(bed.root, at);
        assert.equal(killed.signal, 'SIGKILL', `step ${at}: ${killed.stderr}`);
        const left = await check(bed, `step ${at}`);
        seen.mounted += left.mounted;
        seen.volumes += left.volumes;
      }
      assert.ok(seen.mounted > 1 && seen.volumes > 8, JSON.stringify(seen));
    });
  }

  it('are mounted once by processes that mount, unmount and remove them at the same time', async (t) => {
    const bed = new LocalBed(t);
    const workers = ['one', 'two', 'three'].map((id) =>
      spawn(process.execPath, [WORKLOAD, bed.root, 'share', id, '150'], { stdio: ['ignore', 'ignore', 'pipe'] }),
    );
    const results = await Promise.all(
      workers.map(async (worker) => {
        let stderr = '';
        worker.stderr.on('data', (data: Buffer) => {
          stderr += data;
        });
        const [code] = (await once(worker, 'exit')) as [number];
        return `${code} ${stderr}`;
      }),
    );
    assert.deepEqual(results, ['0 ', '0 ', '0 ']);
    assert.deepEqual(bed.mountsAt(bed.data('shared')), []);
    assert.deepEqual(
      readdirSync(bed.dir).filter((name) => !name.startsWith('.')),
      [],
    );
  });
});
