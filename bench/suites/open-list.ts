import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Engine } from 'caisson';
import type { ContainerRecord } from '#src/containers/record.js';
import { RecordStore } from '#src/state/index.js';
import { newId } from '#src/util/ids.js';
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

/**
 * One container is run to its end; the others get its record, with ids and names of their own. A quick run writes their
 * records only, a full one makes them first, with names and snapshots.
 */
async function fillRoot(context: SuiteContext): Promise<void> {
  const model = await exitedContainer(context);
  const ids = context.quick ? Array.from({ length: CONTAINERS - 1 }, newId) : await createContainers(context);
  const { store, path } = recordStore(context);
  for (const [n, id] of ids.entries()) {
    const record: ContainerRecord = { ...store.read(model), id, name: `copy-${n}` };
    if (existsSync(join(path, id))) store.update(id, () => record);
    else store.create(id, record);
  }
}

async function exitedContainer(context: SuiteContext): Promise<string> {
  await using bench = await openBenchEngine(context);
  const container = await bench.engine.containers.run({ image: IMAGE, command: ['true'] });
  await container.wait();
  return container.id;
}

async function createContainers(context: SuiteContext): Promise<string[]> {
  await using bench = await openBenchEngine(context);
  const ids: string[] = [];
  let left = CONTAINERS - 1;
  const create = async () => {
    while (left-- > 0) ids.push((await bench.engine.containers.create({ image: IMAGE, command: ['true'] })).id);
  };
  await Promise.all([create(), create(), create(), create()]);
  return ids;
}

// As the engine's own, but without waiting for the disk at each of a thousand writes.
function recordStore(context: SuiteContext): { store: RecordStore<ContainerRecord>; path: string } {
  const path = join(context.dir, 'root/v1/containers');
  const parse = (value: unknown) => value as ContainerRecord;
  return { store: new RecordStore({ dir: path, kind: 'container', schemaVersion: 1, durable: false, parse }), path };
}
