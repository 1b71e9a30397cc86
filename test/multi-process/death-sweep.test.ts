import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Engine } from '#src/index.js';
import { DeathBed, GONE_LIMIT_MS } from '#support/death-bed.js';
import { requireBinary, requireRoot } from '#support/require.js';

/** `1`: a kill at every step (takes long); `from-to`: at these; else a choice of steps that takes about 40 seconds. */
const FULL = process.env['CAISSON_TEST_DEATH_SWEEP'];
const POINTS = 24;

/**
 * A host does every kind of work once and is killed at its n-th change of the machine. Then, without anyone opening
 * the root, nothing throwaway may be left; after the next open every record must be whole and usable, and a further
 * open must find nothing to do.
 */
describe('a host killed at each step of its work', () => {
  it('leaves nothing throwaway, and the next open repairs the rest', { timeout: 3_600_000 }, async (t) => {
    if (!requireRoot(t) || requireBinary(t, 'runc') === undefined || requireBinary(t, 'busybox') === undefined) return;
    if (requireBinary(t, 'conmon') === undefined) return;
    await using bed = new DeathBed();
    await bed.importImage();
    const steps = await countSteps(bed);
    assert.ok(steps > 200, `${steps} steps`);
    const clean = bed.containerFiles().filter((path) => !path.startsWith('run/sessions/'));
    assert.deepEqual(clean, []);
    const failures: string[] = [];
    let killed = 0;
    const points = choosePoints(steps);
    for (const at of points) {
      const result = await killAt(bed, at);
      if (result.killed) killed++;
      if (result.problems.length > 0) failures.push(`step ${at}: ${result.problems.join('\n  ')}`);
      if (failures.length > 20) break;
    }
    t.diagnostic(`${killed} kills at ${points.length} of ${steps} steps`);
    assert.deepEqual(failures, []);
    assert.ok(killed > points.length / 2, `${killed} kills`);
  });
});

function choosePoints(steps: number): number[] {
  if (FULL === '1') return Array.from({ length: steps }, (_, n) => n + 1);
  const range = /^(\d+)-(\d+)$/.exec(FULL ?? '');
  if (range !== null) {
    const [from, to] = [Number(range[1]), Number(range[2])];
    return Array.from({ length: to - from + 1 }, (_, n) => from + n);
  }
  // Other ones in each run, spread over the work.
  const stride = steps / POINTS;
  const offset = Math.random() * stride;
  return Array.from({ length: POINTS }, (_, n) => 1 + Math.floor(offset + n * stride));
}

async function countSteps(bed: DeathBed): Promise<number> {
  const host = bed.startHost({ job: 'everything', extra: { rootfs: bed.rootfs } }, 0);
  assert.equal(await host.message(), 'done');
  const { count } = (await host.message()) as { count: number };
  await host.ended;
  return count;
}

async function killAt(bed: DeathBed, at: number): Promise<{ killed: boolean; problems: string[] }> {
  const problems: string[] = [];
  const host = bed.startHost({ job: 'everything', extra: { rootfs: bed.rootfs } }, at);
  const { signal, code, stderr } = await host.ended;
  if (signal !== 'SIGKILL' && code !== 0)
    return { killed: false, problems: [`the host ended with ${code ?? signal}: ${stderr}`] };
  const durable = durableIds(bed);
  const { ms, left } = await bed.goneWithin(GONE_LIMIT_MS, durable);
  if (left.length > 0) problems.push(...left.map((what) => `throwaway, left after ${ms.toFixed(0)} ms: ${what}`));
  try {
    await checkOpen(bed, problems);
  } catch (error) {
    problems.push(`after the next open: ${error instanceof Error ? error.stack : error}`);
  }
  problems.push(...(await bed.leaks()).map((what) => `leaked: ${what}`));
  problems.push(...bed.containerFiles().map((what) => `file left: ${what}`));
  return { killed: signal === 'SIGKILL', problems };
}

/** Ids that a container record or a record in the making stands for: what may live on. */
function durableIds(bed: DeathBed): string[] {
  return bed
    .containerFiles()
    .map((path) => /^(?:containers|intents)\/([0-9a-f]{64})/.exec(path)?.[1])
    .filter((id) => id !== undefined);
}

async function checkOpen(bed: DeathBed, problems: string[]): Promise<void> {
  {
    await using engine = await bed.open();
    const all = await engine.containers.list({ all: true });
    const ids = new Set(all.map((row) => row.id));
    for (const row of all) {
      if (row.kind !== 'durable') problems.push(`listed: throwaway ${row.id}`);
      if (!['created', 'running', 'exited'].includes(row.status)) problems.push(`${row.name} is ${row.status}`);
    }
    await intentsSettled(bed);
    // What is on disk now belongs to a listed container or to this engine.
    for (const path of bed.containerFiles()) {
      const named = /[0-9a-f]{64}/.exec(path)?.[0];
      const known =
        named !== undefined
          ? ids.has(named)
          : /^names\//.test(path)
            ? all.some((row) => path === `names/${row.name}`)
            : /^run\/sessions\/[0-9a-f]+$/.test(path);
      if (!known) problems.push(`nobody's after open: ${path}`);
    }
    await checkVolumes(engine, ids, problems);
    // A second open finds nothing to do: it changes nothing that is there.
    const before = bed.containerFiles().filter((path) => !path.startsWith('run/sessions/'));
    await (await bed.open()).close();
    const after = bed.containerFiles().filter((path) => !path.startsWith('run/sessions/'));
    if (before.join() !== after.join()) problems.push(`the second open changed ${before.join()} into ${after.join()}`);
    for (const row of all) await use(engine, row.id, row.status, problems);
    await removeVolumes(bed, engine, problems);
    if (!(await engine.images.list()).some((image) => JSON.stringify(image).includes('box')))
      problems.push('the image is gone');
    const { stdout } = await engine.run('box', ['echo', 'works'], { name: 'named-run' });
    if (stdout !== 'works\n') problems.push(`run gives ${stdout}`);
    await engine.images.import(bed.rootfs, { reference: 'imported' });
    await engine.run('imported', ['true'], { check: true });
    await engine.images.remove('imported');
  }
}

/** Drivers may be slow, so an open does not wait for the volumes of what was cut off. */
async function intentsSettled(bed: DeathBed): Promise<void> {
  const endsAt = Date.now() + 5_000;
  while (Date.now() < endsAt && bed.containerFiles().some((path) => path.startsWith('intents/'))) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Nobody dead holds a volume, and one that nobody asked for by name is there for a container. */
async function checkVolumes(engine: Engine, ids: ReadonlySet<string>, problems: string[]): Promise<void> {
  const { volumes, warnings } = await engine.volumes.list();
  problems.push(...warnings.map(({ kind, message }) => `volumes: ${kind}: ${message}`));
  for (const { name, anonymous } of volumes) {
    const { holders } = await engine.volumes.inspect(name);
    for (const { id, kind, mounted } of holders) {
      if (!ids.has(id)) problems.push(`volume ${name} is held by ${kind} ${id}, which is gone`);
      else if (mounted && (await (await engine.containers.get(id)).inspect()).status !== 'running')
        problems.push(`volume ${name} is mounted for ${id}, which does not run`);
    }
    if (anonymous && holders.length === 0) problems.push(`anonymous volume ${name} is nobody's`);
  }
  for (const id of ids) {
    for (const mount of (await (await engine.containers.get(id)).inspect()).mounts) {
      if (mount.name === undefined) continue;
      const users = (await engine.volumes.whoUses(mount.name)).map((holder) => holder.id);
      if (!users.includes(id)) problems.push(`${id} does not hold its volume ${mount.name}`);
    }
  }
}

/** With its containers gone, every volume can be removed, and no trace of one stays. */
async function removeVolumes(bed: DeathBed, engine: Engine, problems: string[]): Promise<void> {
  for (const { name } of (await engine.volumes.list()).volumes) {
    try {
      await engine.volumes.remove(name);
    } catch (error) {
      problems.push(`volume ${name} can't be removed: ${error instanceof Error ? error.message : error}`);
    }
  }
  problems.push(...bed.volumeFiles().map((what) => `of a volume: ${what}`));
}

/** A record is whole when its container can be started, entered, stopped and removed. */
async function use(engine: Engine, id: string, status: string, problems: string[]): Promise<void> {
  const container = await engine.containers.get(id);
  const name = container.name;
  try {
    if (status === 'created' || name !== 'durable-3') {
      await container.start();
      if (name !== 'durable-3') {
        await container.exec(['true'], { check: true });
        await container.stop({ timeoutMs: 0 });
      }
    }
    await container.remove({ force: true, volumes: true });
  } catch (error) {
    if (name === 'durable-3' && /CONTAINER_NOT_FOUND/.test(String((error as { reason?: string }).reason))) return;
    problems.push(`${name} (${status}) is of no use: ${error instanceof Error ? error.message : error}`);
  }
}
