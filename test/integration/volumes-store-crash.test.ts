import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { readMountInfo, unmount } from '#src/os/index.js';
import { VolumeStore } from '#src/volumes/store/index.js';
import { requireBinary, requireRoot } from '#support/require.js';
import { withTempRoot } from '#support/roots.js';
import { run, runOk } from '#support/run.js';
import { modelAfter, STEP_COUNT } from './volumes-store-job.js';

const JOB = join(import.meta.dirname, 'volumes-store-job.js');
const FAILPOINTS = join(import.meta.dirname, '../support/failpoints.js');
const LONG = process.env['CAISSON_TEST_LONG'] === '1';
const CALLS_MAX = 2_000;
/** FS_IOC_SHUTDOWN, without writing the journal: what was not flushed is lost. */
const CUT_POWER = 'open(my $f, "<", $ARGV[0]) or die $!; my $how = pack("L", 2); ioctl($f, 0x8004587D, $how) or die $!';

describe('volumes of a process that ends at any instruction', () => {
  it('are what was acknowledged after SIGKILL', { timeout: 300_000 }, async (t) => {
    if (!requireRoot(t)) return;
    await withTempRoot(async ({ dir }) => {
      const points = await sweep(LONG ? 1 : 9, async (at) => {
        const root = join(dir, `root${at}`);
        const runDir = join(dir, `run${at}`);
        const acknowledged = await runJob(root, runDir, at);
        await check(root, runDir, acknowledged, `killed at ${at}`);
        rmSync(root, { recursive: true });
        rmSync(runDir, { recursive: true });
        return acknowledged < STEP_COUNT;
      });
      t.diagnostic(`${points} points`);
    });
  });

  it('are what was acknowledged after a power cut', { timeout: 300_000 }, async (t) => {
    if (!requireRoot(t)) return;
    for (const program of ['mkfs.ext4', 'losetup', 'perl']) if (requireBinary(t, program) === undefined) return;
    await withTempRoot(async ({ dir }) => {
      const image = join(dir, 'disk');
      const disk = join(dir, 'mnt');
      writeFileSync(image, '');
      truncateSync(image, 64 << 20);
      await runOk('mkfs.ext4', ['-q', '-F', image]);
      mkdirSync(disk);
      const plugIn = () => runOk('mount', ['-o', 'loop', image, disk]);
      await plugIn();
      try {
        const points = await sweep(LONG ? 1 : 9, async (at) => {
          const root = join(disk, `root${at}`);
          const acknowledged = await runJob(root, join(dir, `run${at}`), at);
          await runOk('perl', ['-e', CUT_POWER, disk]);
          unmountBelow(`${disk}/`);
          unmount(disk);
          await plugIn();
          // The run dir is gone with the memory it was in.
          rmSync(join(dir, `run${at}`), { recursive: true, force: true });
          const runDir = join(dir, `next${at}`);
          await check(root, runDir, acknowledged, `power cut at ${at}`);
          rmSync(root, { recursive: true, force: true });
          rmSync(runDir, { recursive: true });
          return acknowledged < STEP_COUNT;
        });
        t.diagnostic(`${points} points`);
      } finally {
        unmountBelow(`${disk}/`);
        unmount(disk);
      }
    });
  });
});

/** Tries each point until the job comes to its end; gives how many there were. */
async function sweep(stride: number, attempt: (at: number) => Promise<boolean>): Promise<number> {
  let points = 0;
  for (let at = 1; at < CALLS_MAX; at += stride) {
    if (!(await attempt(at))) {
      assert.ok(points > 10, `${points} points only`);
      return points;
    }
    points++;
  }
  throw new Error(`no end after ${CALLS_MAX} calls`);
}

async function runJob(root: string, runDir: string, at: number): Promise<number> {
  const result = await run(process.execPath, ['--import', `${FAILPOINTS}?at=${at}`, JOB, root, runDir]);
  assert.ok(result.code === 0 || result.signal === 'SIGKILL', `at ${at}: ${result.code} ${result.stderr}`);
  return result.stdout.split('\n').filter((line) => line !== '').length;
}

async function check(root: string, runDir: string, acknowledged: number, what: string): Promise<void> {
  const before = modelAfter(acknowledged);
  const after = modelAfter(Math.min(acknowledged + 1, STEP_COUNT));
  const store = await VolumeStore.open({ root, runDir, holderExists: () => true });
  try {
    await store.recovered();
    const { volumes, warnings } = await store.list();
    assert.deepEqual(warnings, [], what);
    const labels = new Map(volumes.map(({ name, labels }) => [name, labels['label']]));
    for (const name of new Set([...before.volumes.keys(), ...after.volumes.keys(), ...labels.keys()])) {
      const possible = [before.volumes.get(name), after.volumes.get(name)];
      assert.ok(possible.includes(labels.get(name)), `${what}, after ${acknowledged}: ${name} is ${labels.get(name)}`);
    }
    const holds = new Set<string>();
    for (const { name } of volumes) {
      for (const { id } of store.whoUses(name)) holds.add(`${name} ${id}`);
    }
    for (const hold of new Set([...before.holds, ...after.holds, ...holds])) {
      const possible = [before.holds.has(hold), after.holds.has(hold)];
      assert.ok(possible.includes(holds.has(hold)), `${what}, after ${acknowledged}: ${hold} is ${holds.has(hold)}`);
    }
    await checkUsable(store, root, what);
  } finally {
    await store.close();
  }
  assert.deepEqual(
    readMountInfo().filter(({ mountPoint }) => mountPoint.startsWith(`${root}/`)),
    [],
    what,
  );
}

/** Nothing half-made stands in the way of anything, and all of it can be taken away. */
async function checkUsable(store: VolumeStore, root: string, what: string): Promise<void> {
  for (const name of ['plain', 'temp', 'last']) {
    await store.create({ name, ifExists: 'return' });
    const { mountpoint } = await store.mount(name, { holder: { id: 'check' } });
    assert.ok(existsSync(mountpoint), what);
    for (const { id } of store.whoUses(name)) await store.release(name, id);
    await store.remove(name);
  }
  assert.deepEqual((await store.list()).volumes, [], what);
  for (const kind of ['records', 'holders']) assert.deepEqual(readdirSync(join(root, 'v1/volumes', kind)), [], what);
}

function unmountBelow(prefix: string): void {
  const below = readMountInfo().filter(({ mountPoint }) => mountPoint.startsWith(prefix));
  for (const { mountPoint } of below.reverse()) unmount(mountPoint, { lazy: true });
}
