import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Engine } from 'caisson';
import { createContainerStore } from '#src/containers/durable/record-codec.js';
import { collectOk } from '../support/commands.js';
import { engineOptions, IMAGE, openBenchEngine } from '../support/engine.js';
import { interleave, timed } from '../support/interleave.js';
import { type BenchRow, rowOf, valueRow } from '../support/rows.js';
import { median } from '../support/stats.js';
import type { Suite, SuiteContext } from '../support/suite.js';

const CONTAINERS = 1000;

/** What it costs a host program to have an engine: import, open, list. */
export const openList: Suite = {
  name: 'open and list',
  runtimes: ['runc'],
  async run(context) {
    const rows = [await importRow(this.name, context)];
    let opened = 0;
    const empty = await interleave(
      [
        {
          name: 'Engine.open, empty root',
          measure: async () => {
            const dir = join(context.dir, `empty-${opened++}`);
            mkdirSync(dir);
            return await timeOpen({ ...context, dir });
          },
        },
      ],
      { rounds: context.quick ? 10 : 30 },
    );
    rows.push(rowOf(this.name, empty, 'Engine.open, empty root', { goal: { max: 15 } }));
    return [...rows, ...(await fullRootRows(this.name, context))];
  },
};

async function timeOpen(context: SuiteContext): Promise<number> {
  let engine: Engine | undefined;
  try {
    return await timed(async () => {
      engine = await Engine.open({ ...engineOptions(context), runDir: join(context.dir, 'run') });
    });
  } finally {
    await engine?.close();
  }
}

/** Whole processes: that way nothing is left out. */
async function importRow(suite: string, context: SuiteContext): Promise<BenchRow> {
  const node = (code: string) => collectOk(process.execPath, ['--input-type=module', '-e', code]);
  const library = JSON.stringify(import.meta.resolve('caisson'));
  const samples = await interleave(
    [
      { name: 'with', measure: () => timed(() => node(`await import(${library})`)) },
      { name: 'without', measure: () => timed(() => node('')) },
    ],
    { rounds: context.quick ? 8 : 25 },
  );
  const over = median(samples.get('with') ?? []) - median(samples.get('without') ?? []);
  return valueRow(suite, "import('caisson'), over bare Node", over, 'ms', { max: 60 });
}

async function fullRootRows(suite: string, context: SuiteContext): Promise<BenchRow[]> {
  await fillRoot(context);
  const open = `Engine.open, ${CONTAINERS} exited containers`;
  const list = `list of ${CONTAINERS} containers`;
  const rounds = context.quick ? 10 : 30;
  const opens = await interleave([{ name: open, measure: () => timeOpen(context) }], { rounds });
  await using bench = await openBenchEngine(context);
  const lists = await interleave(
    [
      {
        name: list,
        measure: async () => {
          let found = 0;
          const ms = await timed(async () => {
            found = (await bench.engine.containers.list({ all: true })).length;
          });
          if (found < CONTAINERS) throw new Error(`${found} containers listed`);
          return ms;
        },
      },
    ],
    { rounds },
  );
  return [rowOf(suite, opens, open, { goal: { max: 50 } }), rowOf(suite, lists, list, { goal: { max: 50 } })];
}

/** One container is run to its end; the others are copies of its record, with names and snapshots of their own. */
async function fillRoot(context: SuiteContext): Promise<void> {
  await using bench = await openBenchEngine(context);
  const { containers } = bench.engine;
  const first = await containers.run({ image: IMAGE, command: ['true'] });
  await first.wait();
  let left = CONTAINERS - 1;
  const ids: string[] = [];
  const create = async () => {
    while (left-- > 0) ids.push((await containers.create({ image: IMAGE, command: ['true'] })).id);
  };
  await Promise.all([create(), create(), create(), create()]);
  await bench.engine.close();
  const store = createContainerStore(join(context.dir, 'root/v1/containers'));
  const model = store.read(first.id);
  for (const id of ids) {
    const { name, createdAt } = store.read(id);
    store.update(id, () => ({ ...model, id, name, createdAt }));
  }
}
