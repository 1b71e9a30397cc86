import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { interleave } from '../support/interleave.js';
import { type BenchRow, rowOf } from '../support/rows.js';
import type { Suite, SuiteContext } from '../support/suite.js';

const HOST = join(import.meta.dirname, 'big-host-process.js');
const BALLAST_MB = 400;

/** What a host process is asked to measure. */
export type HostJob = 'stall' | 'spawn stall' | 'idle stall' | 'throughput';

/** Starts out of a host process with much memory: Node's own `spawn` copies page tables and stalls it. */
export const bigHost: Suite = {
  name: 'big host',
  runtimes: ['runc', 'crun'],
  quickRuntimes: ['crun'],
  async run(context) {
    await using small = await Host.start(context, 'small', 0);
    await using big = await Host.start(context, 'big', BALLAST_MB);
    const { runtime } = context;
    const rows: BenchRow[] = [];
    const label = `${BALLAST_MB} MB host`;
    const stalls = await interleave(
      [
        { name: `event loop stall per engine.run, ${runtime}, ${label}`, measure: () => big.measure('stall') },
        { name: `event loop stall per engine.run, ${runtime}, small host`, measure: () => small.measure('stall') },
        { name: `event loop stall with nothing to do, ${label}`, measure: () => big.measure('idle stall') },
        { name: `event loop stall per Node spawn of true, ${label}`, measure: () => big.measure('spawn stall') },
      ],
      { rounds: context.quick ? 12 : 40 },
    );
    for (const name of stalls.keys()) {
      rows.push(
        rowOf(this.name, stalls, name, name.includes(`engine.run, ${runtime}, ${label}`) ? { goal: { max: 3 } } : {}),
      );
    }
    const theirs = `throughput, ${runtime}, small host`;
    const ours = `throughput, ${runtime}, ${label}`;
    const samples = await interleave(
      [
        { name: ours, measure: () => big.measure('throughput') },
        { name: theirs, measure: () => small.measure('throughput') },
      ],
      { rounds: context.quick ? 3 : 10, warmup: context.quick ? 0 : 1 },
    );
    rows.push(rowOf(this.name, samples, theirs, { unit: '/s' }));
    rows.push(rowOf(this.name, samples, ours, { unit: '/s', baseline: theirs, goal: { of: 'ratio', min: 0.85 } }));
    return rows;
  },
};

class Host implements AsyncDisposable {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  static async start(context: SuiteContext, name: string, ballastMb: number): Promise<Host> {
    const dir = join(context.dir, name);
    mkdirSync(dir);
    const child = fork(HOST, [dir, context.runtime, String(ballastMb)], { execArgv: ['--expose-gc'] });
    const host = new Host(child);
    await host.#answer();
    return host;
  }

  async measure(job: HostJob): Promise<number> {
    this.#child.send(job);
    return await this.#answer();
  }

  async #answer(): Promise<number> {
    const ended = new AbortController();
    try {
      const [value] = await Promise.race([
        once(this.#child, 'message', { signal: ended.signal }),
        once(this.#child, 'exit', { signal: ended.signal }).then(([code]) => {
          throw new Error(`the host process ended with ${code}`);
        }),
      ]);
      return value as number;
    } finally {
      ended.abort();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exit = once(this.#child, 'exit');
    this.#child.disconnect();
    await exit;
  }
}
