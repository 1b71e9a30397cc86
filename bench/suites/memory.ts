import { join } from 'node:path';
import { collectOk } from '../support/commands.js';
import { valueRow } from '../support/rows.js';
import type { Suite } from '../support/suite.js';
import type { MemoryReport } from './memory-process.js';

const PROCESS = join(import.meta.dirname, 'memory-process.js');

/** What throwaway containers leave in a host process that does nothing else. */
export const memory: Suite = {
  name: 'memory',
  runtimes: ['runc', 'crun'],
  quickRuntimes: ['crun'],
  async run({ quick, dir, runtime }) {
    const total = quick ? 300 : 1000;
    const measure = async (...args: string[]): Promise<MemoryReport> =>
      JSON.parse(await collectOk(process.execPath, [PROCESS, ...args])) as MemoryReport;
    const ours = await measure('containers', dir, runtime, String(total));
    const node = await measure('programs', dir, runtime, String(total));
    const what = `after ${total} containers, ${runtime}`;
    return [
      valueRow(this.name, `resident after import, over bare Node`, ours.imported ?? 0, 'MB'),
      valueRow(this.name, `resident after the first container, ${runtime}, over bare Node`, ours.first, 'MB'),
      valueRow(this.name, `resident ${what}, over bare Node`, ours.last, 'MB', { max: 25 }),
      valueRow(this.name, `resident after ${total} of Node's own spawns, over bare Node`, node.last, 'MB'),
      valueRow(this.name, `descriptors more ${what}`, ours.descriptors, '', { max: 0 }),
      valueRow(this.name, `handles and timers more ${what}`, ours.handles, '', { max: 0 }),
      valueRow(this.name, `listeners on process more ${what}`, ours.listeners, '', { max: 0 }),
    ];
  },
};
