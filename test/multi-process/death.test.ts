import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { readCgroupLayout } from '#src/os/index.js';
import { command, DeathBed, exists, GONE_LIMIT_MS, type Host, hierarchies, pids, read } from '#support/death-bed.js';
import { requireBinary, requireRoot } from '#support/require.js';

interface Box {
  readonly id: string;
  readonly pid: number;
}

function ready(t: Parameters<typeof requireBinary>[0]): boolean {
  return requireRoot(t) && requireBinary(t, 'runc') !== undefined && requireBinary(t, 'busybox') !== undefined;
}

async function boxes(
  bed: DeathBed,
  extra: Record<string, unknown> = {},
  count = 1,
): Promise<{ host: Host; made: Box[] }> {
  const host = bed.startHost({ job: 'boxes', count, extra });
  const made = (await host.message()) as Box[];
  assert.equal(made.length, count);
  for (const { pid } of made) assert.ok(exists(`/proc/${pid}`));
  return { host, made };
}

async function assertGone(bed: DeathBed, limitMs = GONE_LIMIT_MS): Promise<number> {
  const { ms, left } = await bed.goneWithin(limitMs);
  assert.deepEqual(left, [], `left after ${ms.toFixed(0)} ms`);
  return ms;
}

describe('throwaway containers of a host that was killed', () => {
  for (const count of [1, 50]) {
    it(`${count} are gone within a second and nobody opens the root`, async (t) => {
      if (!ready(t)) return;
      await using bed = new DeathBed();
      await bed.importImage();
      const { host } = await boxes(bed, {}, count);
      host.kill();
      t.diagnostic(`${count} gone after ${(await assertGone(bed)).toFixed(0)} ms`);
      assert.deepEqual(await bed.leaks(), []);
    });
  }

  for (const [title, name] of Object.entries({
    'spaces and quotes': `it's "a" $(root) \`x\` *?[a]`,
    newlines: 'two\nlines\n',
    'colons, commas and backslashes': 'a:b,c=d\\040e',
    'a leading dash': '-rf',
  })) {
    it(`a root path with ${title}`, async (t) => {
      if (!ready(t)) return;
      await using bed = new DeathBed({ name });
      await bed.importImage();
      const { host } = await boxes(bed);
      host.kill();
      await assertGone(bed);
      assert.deepEqual(await bed.leaks(), []);
    });
  }

  it('with a terminal: the runtime is in a session of its own', async (t) => {
    if (!ready(t)) return;
    await using bed = new DeathBed();
    await bed.importImage();
    const { host } = await boxes(bed, { tty: true }, 3);
    host.kill();
    await assertGone(bed);
    assert.deepEqual(await bed.leaks(), []);
  });

  it('that made cgroups inside their own', async (t) => {
    if (!ready(t)) return;
    await using bed = new DeathBed();
    await bed.importImage();
    const { host, made } = await boxes(bed, { privileged: true, pidMode: undefined });
    for (const mount of hierarchies()) {
      const dir = `${mount}${bed.cgroupParent}/caisson-${made[0]?.id}`;
      if (!exists(dir)) continue;
      for (const nested of ['a/b/c', '.hidden/..x', 'with space']) mkdirSync(`${dir}/${nested}`, { recursive: true });
    }
    const { unified, controllers } = readCgroupLayout();
    const pidsMount = controllers.get('pids') ?? (unified as string);
    writeFileSync(`${pidsMount}${bed.cgroupParent}/caisson-${made[0]?.id}/a/b/c/cgroup.procs`, String(made[0]?.pid));
    host.kill();
    await assertGone(bed);
  });

  it('that were frozen, in a group and in a group below it', async (t) => {
    if (!ready(t)) return;
    const freezer = readCgroupLayout().controllers.get('freezer');
    await using bed = new DeathBed();
    await bed.importImage();
    const { host, made } = await boxes(bed, {}, 2);
    const [one, two] = made as [Box, Box];
    const group = (id: string): string => `${freezer ?? hierarchies()[0]}${bed.cgroupParent}/caisson-${id}`;
    const freeze = (dir: string): void =>
      freezer === undefined
        ? writeFileSync(`${dir}/cgroup.freeze`, '1')
        : writeFileSync(`${dir}/freezer.state`, 'FROZEN');
    freeze(group(one.id));
    mkdirSync(`${group(two.id)}/below`);
    writeFileSync(`${group(two.id)}/below/cgroup.procs`, String(two.pid));
    freeze(`${group(two.id)}/below`);
    host.kill();
    await assertGone(bed);
  });

  it('with a runtime that keeps its state elsewhere', async (t) => {
    if (!ready(t)) return;
    await using bed = new DeathBed();
    const state = `${bed.dir}/runtime-state`;
    await using placed = new DeathBed({
      engine: { runtimes: { runc: { path: 'runc', root: state } }, defaultRuntime: 'runc' },
    });
    await placed.importImage();
    const { host, made } = await boxes(placed);
    assert.ok(exists(`${state}/${made[0]?.id}`));
    host.kill();
    await assertGone(placed);
    assert.ok(!exists(`${state}/${made[0]?.id}`));
  });

  it('at any moment of many starts', async (t) => {
    if (!ready(t)) return;
    await using bed = new DeathBed();
    await bed.importImage();
    for (const tty of [false, true]) {
      for (let n = 0; n < 8; n++) {
        const host = bed.startHost({ job: 'storm', extra: { tty } });
        await host.message();
        await new Promise((resolve) => setTimeout(resolve, 30 + n * 23));
        host.kill();
        await host.ended;
        await assertGone(bed);
      }
    }
    assert.deepEqual(await bed.leaks(), []);
    await using _engine = await bed.open();
    assert.deepEqual(
      bed.containerFiles().filter((path) => !path.startsWith('run/sessions/')),
      [],
    );
  });

  it('exec sessions in a durable container end, the container does not', async (t) => {
    if (!ready(t)) return;
    await using bed = new DeathBed();
    await bed.importImage();
    await using engine = await bed.open();
    const durable = await engine.containers.run({ image: 'box', name: 'durable', command: ['sleep', '999'] });
    for (const extra of [{}, { tty: true }]) {
      const host = bed.startHost({ job: 'exec', extra });
      await host.message();
      const inside = (): string[] =>
        pids()
          .filter((pid) => read(`/proc/${pid}/cgroup`).includes(durable.id))
          .map(command)
          .filter((line) => line.includes('sleep'));
      assert.equal(inside().length, 2);
      host.kill();
      const { left } = await bed.goneWithin(GONE_LIMIT_MS, [durable.id]);
      assert.deepEqual(left, []);
      assert.deepEqual(inside(), ['sleep 999']);
    }
    await durable.remove({ force: true });
  });

  it('whose sweeper was killed before: another watches them', async (t) => {
    if (!ready(t)) return;
    await using bed = new DeathBed();
    await bed.importImage();
    const { host } = await boxes(bed, {}, 2);
    const isSweeper = (pid: number): boolean =>
      command(pid).includes('caisson-watch') && command(pid).includes(bed.runDir);
    const [first] = pids().filter(isSweeper);
    assert.ok(first !== undefined);
    process.kill(first, 'SIGKILL');
    const endsAt = Date.now() + 1_000;
    while (!pids().some((pid) => pid !== first && isSweeper(pid)) && Date.now() < endsAt)
      await new Promise((r) => setTimeout(r, 10));
    host.kill();
    await assertGone(bed);
  });

  it('whose sweeper died with it: the next open does its work', async (t) => {
    if (!ready(t)) return;
    await using bed = new DeathBed();
    await bed.importImage();
    for (const tty of [false, true]) {
      const { host } = await boxes(bed, { tty, name: 'again' }, 1);
      const sweepers = pids().filter(
        (pid) => command(pid).includes('caisson-watch') && command(pid).includes(bed.runDir),
      );
      host.child.kill('SIGSTOP');
      for (const pid of sweepers) process.kill(pid, 'SIGKILL');
      host.kill();
      await host.ended;
      assert.notDeepEqual(bed.ephemeralLeft(), []);
      await using _engine = await bed.open();
      assert.deepEqual(bed.ephemeralLeft(), []);
    }
    assert.deepEqual(await bed.leaks(), []);
  });
});
