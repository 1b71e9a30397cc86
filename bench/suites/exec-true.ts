import { join } from 'node:path';
import { IMAGE, openBenchEngine } from '../support/engine.js';
import { interleave, timed } from '../support/interleave.js';
import { RawBundles, RawRuntime } from '../support/raw-bundle.js';
import { rowOf } from '../support/rows.js';
import type { Suite } from '../support/suite.js';

/** `true` in a running container, output captured. */
export const execTrue: Suite = {
  name: 'exec true',
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
    const id = raw.newId();
    await raw.start(id, bundles.make('exec', ['sleep', '600']));
    try {
      await using box = await engine.containers.ephemeral({ image: IMAGE, command: ['sleep', '600'] });
      const ours = `container.exec, ${context.runtime}`;
      const theirs = `raw ${context.runtime} exec`;
      const samples = await interleave(
        [
          { name: ours, measure: () => timed(() => box.exec(['true'], { check: true })) },
          { name: theirs, measure: () => timed(() => raw.exec(id, ['true'])) },
        ],
        { rounds: context.quick ? 15 : 60 },
      );
      return [
        rowOf(this.name, samples, theirs),
        rowOf(this.name, samples, ours, { baseline: theirs, goal: { of: 'ratio', max: 1.25 } }),
      ];
    } finally {
      await raw.delete(id);
    }
  },
};
