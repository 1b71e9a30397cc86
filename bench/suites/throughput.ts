import { join } from 'node:path';
import { IMAGE, openBenchEngine } from '../support/engine.js';
import { interleave, timed } from '../support/interleave.js';
import { RawBundles, RawRuntime } from '../support/raw-bundle.js';
import { type BenchRow, rowOf } from '../support/rows.js';
import type { Suite } from '../support/suite.js';

const CONCURRENCIES = [1, 2, 4, 8];

/** Throwaway containers per second, so many at a time. */
export const throughput: Suite = {
  name: 'throughput',
  runtimes: ['runc', 'crun'],
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
    const slots = Array.from({ length: Math.max(...CONCURRENCIES) }, (_, slot) =>
      bundles.make(`slot-${slot}`, ['true']),
    );
    const total = context.quick ? 12 : 48;
    const rows: BenchRow[] = [];
    for (const concurrency of CONCURRENCIES) {
      const ours = `engine.run, ${context.runtime}, ${concurrency} at a time`;
      const theirs = `raw ${context.runtime} run, ${concurrency} at a time`;
      const samples = await interleave(
        [
          {
            name: ours,
            measure: () => perSecond(total, concurrency, () => engine.run(IMAGE, ['true'], { check: true })),
          },
          { name: theirs, measure: () => perSecond(total, concurrency, (slot) => raw.run(slots[slot] as string)) },
        ],
        { rounds: context.quick ? 2 : 5, warmup: context.quick ? 0 : 1 },
      );
      rows.push(rowOf(this.name, samples, theirs, { unit: '/s' }));
      rows.push(rowOf(this.name, samples, ours, { unit: '/s', baseline: theirs, goal: { of: 'ratio', min: 0.85 } }));
    }
    return rows;
  },
};

/** Runs `total` jobs on `concurrency` workers and returns jobs per second. */
export async function perSecond(
  total: number,
  concurrency: number,
  job: (slot: number) => Promise<unknown>,
): Promise<number> {
  let left = total;
  const worker = async (slot: number): Promise<void> => {
    while (left-- > 0) await job(slot);
  };
  const ms = await timed(() => Promise.all(Array.from({ length: concurrency }, (_, slot) => worker(slot))));
  return (total * 1000) / ms;
}
