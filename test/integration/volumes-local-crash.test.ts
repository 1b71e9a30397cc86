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

describe('local volumes of processes that are killed', { skip: process.geteuid?.() !== 0 && 'missing: root' }, () => {
  it('are whole or gone after a kill at any step, and no mount is left without a holder', async (t) => {
    const run = (root: string, at: number) =>
      spawnSync(process.execPath, ['--import', `${FAILPOINTS}?at=${at}`, WORKLOAD, root, 'lifecycle'], {
        encoding: 'utf8',
      });
    const whole = run(new LocalBed(t).root, 0);
    assert.equal(whole.status, 0, whole.stderr);
    const steps = Number(whole.stdout);
    assert.ok(steps > 40, `${steps} steps`);
    const seen = { killed: 0, mounted: 0, volumes: 0, leftovers: 0 };
    for (let at = 1; at <= steps; at++) {
      const bed = new LocalBed(t);
      const killed = run(bed.root, at);
      assert.equal(killed.signal, 'SIGKILL', `step ${at}: ${killed.stderr}`);
      seen.killed++;
      await using driver = await bed.open();
      await driver.swept;
      for (const part of ['.staging', '.trash']) assert.deepEqual(readdirSync(join(bed.dir, part)), [], `step ${at}`);
      const volumes = await driver.list();
      seen.volumes += volumes.length;
      for (const { name } of volumes) {
        const status = (await driver.get(name))?.status;
        assert.equal(status?.['type'], name === 'mem' ? 'tmpfs' : undefined, `step ${at}: ${name} has its options`);
        const mounts = bed.mountsAt(bed.data(name)).length;
        seen.mounted += mounts;
        assert.ok(mounts <= 1);
        await driver.mount({ name, id: 'later' });
        assert.equal(bed.mountsAt(bed.data(name)).length, name === 'mem' ? 1 : 0);
        // What a store does for the holders it has written down, in whatever state they were.
        for (const id of ['later', 'first', 'second']) await driver.unmount({ name, id });
        assert.deepEqual(bed.mountsAt(bed.data(name)), [], `step ${at}`);
        await driver.remove(name);
      }
      assert.deepEqual(await driver.list(), []);
      assert.deepEqual(
        readMountInfo().filter((one) => one.mountPoint.startsWith(bed.root)),
        [],
        `step ${at}`,
      );
    }
    assert.ok(seen.mounted > 3 && seen.volumes > 20, JSON.stringify(seen));
  });

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
