import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Container, Engine } from 'caisson';
import { IMAGE, openBenchEngine } from '../support/engine.js';
import { type BenchCase, interleave, timed } from '../support/interleave.js';
import { RawBundles, RawRuntime } from '../support/raw-bundle.js';
import { type BenchRow, rowOf, valueRow } from '../support/rows.js';
import type { Suite } from '../support/suite.js';

const SUPERVISORS = ['conmon', 'shim'] as const;
const RESIDENTS = 4;

/** A durable container's start with each supervisor, against create and start of the runtime alone; and what stays in memory. */
export const durableStart: Suite = {
  name: 'durable start',
  runtimes: ['runc', 'crun'],
  quickRuntimes: ['runc'],
  async run(context) {
    await using bench = await openBenchEngine(context);
    const { engine, runDir } = bench;
    await engine.run(IMAGE, ['true'], { check: true });
    const raw = new RawRuntime(context.runtime, join(context.dir, 'raw-state'));
    const bundles = await RawBundles.capture(engine, {
      dir: join(context.dir, 'raw'),
      runDir,
      image: IMAGE,
      configFor: context.runtime,
    });
    const bundle = bundles.make('durable', ['sleep', '600']);
    const theirs = `raw ${context.runtime} create + start`;
    const cases: BenchCase[] = [
      {
        name: theirs,
        measure: async () => {
          const id = raw.newId();
          try {
            return await timed(async () => {
              await raw.create(id, bundle);
              await raw.startCreated(id);
            });
          } finally {
            await raw.delete(id);
          }
        },
      },
      ...SUPERVISORS.map((supervisor) => startCase(engine, context.runtime, supervisor)),
    ];
    const samples = await interleave(cases, { rounds: context.quick ? 6 : 30, warmup: 1 });
    const rows: BenchRow[] = [rowOf(this.name, samples, theirs)];
    for (const supervisor of SUPERVISORS) {
      rows.push(rowOf(this.name, samples, caseName(context.runtime, supervisor), { baseline: theirs }));
      rows.push(await memoryRow(this.name, engine, context.runtime, supervisor));
    }
    return rows;
  },
};

function caseName(runtime: string, supervisor: string): string {
  return `container.start, ${runtime}, ${supervisor}`;
}

function startCase(engine: Engine, runtime: string, supervisor: 'conmon' | 'shim'): BenchCase {
  return {
    name: caseName(runtime, supervisor),
    measure: async () => {
      const container = await engine.containers.create({ image: IMAGE, command: ['sleep', '600'], supervisor });
      try {
        return await timed(() => container.start());
      } finally {
        await container.remove({ force: true });
      }
    },
  };
}

async function memoryRow(
  suite: string,
  engine: Engine,
  runtime: string,
  supervisor: 'conmon' | 'shim',
): Promise<BenchRow> {
  const containers: Container[] = [];
  try {
    for (let n = 0; n < RESIDENTS; n++) {
      containers.push(await engine.containers.run({ image: IMAGE, command: ['sleep', '600'], supervisor }));
    }
    const bytes = containers.reduce((sum, container) => sum + supervisorPss(container.id), 0);
    return valueRow(suite, `memory of ${supervisor}, ${runtime}, per container`, bytes / RESIDENTS / 2 ** 20, 'MB PSS');
  } finally {
    await Promise.all(containers.map((container) => container.remove({ force: true })));
  }
}

/** Memory of the processes whose arguments name the container: its supervisor, not what runs in it. */
function supervisorPss(id: string): number {
  let bytes = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(id)) continue;
      const kilobytes = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1];
      bytes += Number(kilobytes ?? 0) * 1024;
    } catch {
      // It ended meanwhile.
    }
  }
  return bytes;
}
