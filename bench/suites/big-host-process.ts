import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { IMAGE, openBenchEngine } from '../support/engine.js';
import type { RuntimeName } from '../support/suite.js';
import type { HostJob } from './big-host.js';
import { perSecond } from './throughput.js';

/*
 * A host process of its own: big-host-process.js <dir> <runtime> <ballast in MB>. Answers each job with a number.
 */
const [dir, runtime, ballastMb] = process.argv.slice(2) as [string, RuntimeName, string];
// Written to, so that the pages are there; kept as a global so that nothing can think them unused.
Object.assign(globalThis, {
  ballast: Array.from({ length: Number(ballastMb) }, (_, n) => Buffer.alloc(2 ** 20, n + 1)),
});

const TICK_MS = 1;

/** The longest time that the event loop did not turn while `work` was done. */
async function longestStall(work: () => Promise<unknown>): Promise<number> {
  let longest = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    longest = Math.max(longest, now - last - TICK_MS);
    last = now;
  }, TICK_MS);
  try {
    await work();
    longest = Math.max(longest, performance.now() - last - TICK_MS);
    return longest;
  } finally {
    clearInterval(timer);
  }
}

const bench = await openBenchEngine({ dir, runtime });
const run = () => bench.engine.run(IMAGE, ['true'], { check: true });
const JOBS: Record<HostJob, () => Promise<number>> = {
  stall: () => longestStall(run),
  'spawn stall': () =>
    longestStall(async () => {
      await once(spawn('/bin/true', { stdio: 'ignore' }), 'exit');
    }),
  'idle stall': () => longestStall(() => sleep(30)),
  throughput: () => perSecond(24, 4, run),
};
for (let n = 0; n < 3; n++) await run();
process.on('message', async (job: HostJob) => process.send?.(await JOBS[job]()));
process.on('disconnect', () => void bench[Symbol.asyncDispose]());
process.send?.(0);
