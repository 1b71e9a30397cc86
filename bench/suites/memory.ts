import { readdirSync } from 'node:fs';
import { collectOk } from '../support/commands.js';
import { IMAGE, openBenchEngine } from '../support/engine.js';
import { valueRow } from '../support/rows.js';
import type { Suite } from '../support/suite.js';
import { perSecond } from './throughput.js';

/** What throwaway containers leave in the host process. */
export const memory: Suite = {
  name: 'memory',
  runtimes: ['runc', 'crun'],
  quickRuntimes: ['crun'],
  async run(context) {
    const total = context.quick ? 100 : 1000;
    const bare = Number(
      await collectOk(process.execPath, ['--expose-gc', '-e', 'gc(); console.log(process.memoryUsage.rss())']),
    );
    const imported = resident();
    const bench = await openBenchEngine(context);
    await bench.engine.run(IMAGE, ['true'], { check: true });
    const first = resident();
    const before = held();
    await perSecond(total, 4, () => bench.engine.run(IMAGE, ['true'], { check: true }));
    const last = resident();
    await new Promise((resolve) => setTimeout(resolve, 100));
    const after = held();
    await bench.engine.close();
    const what = `after ${total} containers, ${context.runtime}`;
    const over = (bytes: number) => (bytes - bare) / 2 ** 20;
    return [
      valueRow(this.name, `resident after import, over bare Node`, over(imported), 'MB'),
      valueRow(this.name, `resident after the first container, ${context.runtime}, over bare Node`, over(first), 'MB'),
      valueRow(this.name, `resident ${what}, over bare Node`, over(last), 'MB', { max: 25 }),
      valueRow(this.name, `descriptors more ${what}`, after.descriptors - before.descriptors, '', { max: 0 }),
      valueRow(this.name, `handles and timers more ${what}`, after.resources - before.resources, '', { max: 0 }),
      valueRow(this.name, `listeners on process more ${what}`, after.listeners - before.listeners, '', { max: 0 }),
    ];
  },
};

function resident(): number {
  globalThis.gc?.();
  return process.memoryUsage.rss();
}

function held(): { descriptors: number; resources: number; listeners: number } {
  const listeners = process.eventNames().reduce((sum, event) => sum + process.listenerCount(event), 0);
  return {
    descriptors: readdirSync('/proc/self/fd').length,
    resources: process.getActiveResourcesInfo().length,
    listeners,
  };
}
