// A host that does nothing but run containers (or, for comparison, programs), and says how its memory grew.
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import type { RuntimeName } from '../support/suite.js';

/** Megabytes over what this process had before it loaded anything, and what it still holds at the end. */
export interface MemoryReport {
  readonly imported?: number;
  readonly first: number;
  readonly last: number;
  readonly descriptors: number;
  readonly handles: number;
  readonly listeners: number;
}

const bare = process.memoryUsage.rss();
const grown = (): number => (process.memoryUsage.rss() - bare) / 2 ** 20;
const [what, dir = '', runtime = '', total = '0'] = process.argv.slice(2);

function held(): Omit<MemoryReport, 'first' | 'last'> {
  return {
    descriptors: readdirSync('/proc/self/fd').length,
    handles: process.getActiveResourcesInfo().length,
    listeners: process.eventNames().reduce((sum, event) => sum + process.listenerCount(event), 0),
  };
}

async function measure(imported: number | undefined, one: () => Promise<unknown>): Promise<MemoryReport> {
  await one();
  const first = grown();
  const before = held();
  let left = Number(total);
  const worker = async (): Promise<void> => {
    while (left-- > 0) await one();
  };
  await Promise.all([worker(), worker()]);
  const last = grown();
  await new Promise((resolve) => setTimeout(resolve, 100));
  const after = held();
  return {
    ...(imported !== undefined && { imported }),
    first,
    last,
    descriptors: after.descriptors - before.descriptors,
    handles: after.handles - before.handles,
    listeners: after.listeners - before.listeners,
  };
}

async function runContainers(): Promise<MemoryReport> {
  await import('caisson');
  const imported = grown();
  const { IMAGE, openBenchEngine } = await import('../support/engine.js');
  await using bench = await openBenchEngine({ dir, runtime: runtime as RuntimeName });
  return await measure(imported, () => bench.engine.run(IMAGE, ['true'], { check: true }));
}

function runPrograms(): Promise<MemoryReport> {
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const child = spawn('/bin/true', { stdio: ['ignore', 'pipe', 'pipe'] });
      child.on('error', reject);
      child.on('close', () => resolve());
    });
  return measure(undefined, one);
}

console.log(JSON.stringify(what === 'containers' ? await runContainers() : await runPrograms()));
