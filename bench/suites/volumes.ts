import { type Engine, VolumeStore } from 'caisson';
import { IMAGE, openBenchEngine } from '../support/engine.js';
import { interleave, timed } from '../support/interleave.js';
import { type BenchRow, rowOf, valueRow } from '../support/rows.js';
import { median } from '../support/stats.js';
import type { Suite } from '../support/suite.js';

const VOLUMES = 1000;

/** What volumes cost: their own verbs, and the start of a container that has one. */
export const volumes: Suite = {
  name: 'volumes',
  runtimes: ['crun'],
  async run(context) {
    await using bench = await openBenchEngine(context);
    const { engine } = bench;
    await engine.volumes.create({ name: 'data' });
    // In use: an empty volume is looked at for what the image has in its place.
    await engine.run(IMAGE, ['sh', '-c', 'echo > /data/file'], { binds: ['data:/data'], check: true });
    const rounds = context.quick ? 40 : 150;
    return [
      ...(await startRows(this.name, engine, rounds)),
      ...(await verbRows(this.name, `${context.dir}/store`, rounds)),
    ];
  },
};

/** Start to running, the end not counted, and whole runs. */
async function startRows(suite: string, engine: Engine, rounds: number): Promise<BenchRow[]> {
  const start = async (binds: readonly string[]): Promise<number> => {
    let box: AsyncDisposable | undefined;
    const ms = await timed(async () => {
      box = await engine.containers.ephemeral({ image: IMAGE, command: ['sleep', '100'], binds });
    });
    await box?.[Symbol.asyncDispose]();
    return ms;
  };
  const run = (binds: readonly string[]) => timed(() => engine.run(IMAGE, ['true'], { binds, check: true }));
  const startBind = 'start, a bind of a directory';
  const startNamed = 'start, a named local volume';
  const runBind = 'engine.run, a bind of a directory';
  const runNamed = 'engine.run, a named local volume';
  const runAnonymous = 'engine.run, a volume without a name';
  const samples = await interleave(
    [
      { name: startBind, measure: () => start(['/usr:/data']) },
      { name: startNamed, measure: () => start(['data:/data']) },
      { name: runBind, measure: () => run(['/usr:/data']) },
      { name: runNamed, measure: () => run(['data:/data']) },
      { name: runAnonymous, measure: () => run(['/data']) },
    ],
    { rounds },
  );
  const base = samples.get(startBind) ?? [];
  const added = median((samples.get(startNamed) ?? []).map((value, round) => value - (base[round] ?? 0)));
  return [
    rowOf(suite, samples, startBind),
    rowOf(suite, samples, startNamed, { baseline: startBind }),
    valueRow(suite, 'a named local volume adds to a start', added, 'ms', { max: 1 }),
    rowOf(suite, samples, runBind),
    rowOf(suite, samples, runNamed, { baseline: runBind }),
    rowOf(suite, samples, runAnonymous, { baseline: runBind }),
  ];
}

async function verbRows(suite: string, root: string, rounds: number): Promise<BenchRow[]> {
  await using store = await VolumeStore.open({ root, runDir: `${root}-run` });
  await store.create({ name: 'data' });
  for (let i = 0; i < VOLUMES - 1; i++) await store.create({ name: `volume-${i}`, labels: { n: String(i % 10) } });
  const holder = { id: 'bench' };
  const cases = [
    {
      name: 'create and remove',
      measure: () =>
        timed(async () => {
          await store.create({ name: 'once' });
          await store.remove('once');
        }),
    },
    {
      name: 'mount and unmount',
      measure: () =>
        timed(async () => {
          await store.mount('data', { holder });
          await store.unmount('data', holder.id);
        }),
    },
    { name: `list ${VOLUMES}`, measure: () => timed(() => store.list()) },
    { name: `list ${VOLUMES} by a label`, measure: () => timed(() => store.list({ labels: { n: '3' } })) },
  ];
  const samples = await interleave(cases, { rounds });
  return cases.map(({ name }) => rowOf(suite, samples, name));
}
