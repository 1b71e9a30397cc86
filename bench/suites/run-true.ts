import { join } from 'node:path';
import { IMAGE, openBenchEngine } from '../support/engine.js';
import { type BenchCase, interleave, timed } from '../support/interleave.js';
import { type Peer, startPeers } from '../support/peers.js';
import { RawBundles, RawRuntime } from '../support/raw-bundle.js';
import { type BenchRow, rowOf } from '../support/rows.js';
import type { Suite, SuiteContext } from '../support/suite.js';

const PEER_GOALS = { runc: { docker: 5, podman: 3 }, crun: { docker: 10, podman: 5 } } as const;

/**
 * One throwaway container that runs `true`, output captured, warm process. The raw runtime gets what the engine hands
 * it, on a root file system that is there already; `raw, JSON filter` is the same with the seccomp profile to compile.
 */
export const runTrue: Suite = {
  name: 'run true',
  runtimes: ['runc', 'crun'],
  async run(context) {
    await using bench = await openBenchEngine(context);
    const { engine, runDir } = bench;
    for (let n = 0; n < 3; n++) await engine.run(IMAGE, ['true'], { check: true });
    const capture = (name: string, configFor: SuiteContext['runtime']) =>
      RawBundles.capture(engine, { dir: join(context.dir, name), runDir, image: IMAGE, configFor });
    const raw = new RawRuntime(context.runtime, join(context.dir, 'raw-state'));
    const bundle = (await capture('raw', context.runtime)).make('run', ['true']);
    const ours = `engine.run, ${context.runtime}`;
    const theirs = `raw ${context.runtime} run`;
    const cases: BenchCase[] = [
      { name: ours, measure: () => timed(() => engine.run(IMAGE, ['true'], { check: true })) },
      { name: theirs, measure: () => timed(() => raw.run(bundle)) },
    ];
    const plain = `${theirs}, JSON filter`;
    if (context.runtime === 'crun') {
      const plainBundle = (await capture('plain', 'runc')).make('plain', ['true']);
      cases.push({ name: plain, measure: () => timed(() => raw.run(plainBundle)) });
    }
    const rounds = context.quick ? 15 : 60;
    const samples = await interleave(cases, { rounds });
    const rows = [rowOf(this.name, samples, theirs)];
    if (context.runtime === 'crun') rows.push(rowOf(this.name, samples, plain, { baseline: theirs }));
    rows.push(rowOf(this.name, samples, ours, { baseline: theirs, goal: { of: 'ratio', max: 1.25 } }));
    if (context.peers)
      rows.push(...(await comparePeers(context, cases[0] as BenchCase, join(context.dir, 'raw/rootfs'))));
    return rows;
  },
};

async function comparePeers(context: SuiteContext, ours: BenchCase, rootfs: string): Promise<BenchRow[]> {
  const peers = await startPeers(context, rootfs);
  try {
    const cases = peers.map((peer): BenchCase => ({ name: peer.name, measure: () => timed(() => peer.runTrue()) }));
    if (cases.length === 0) return [];
    const samples = await interleave([ours, ...cases], { rounds: context.quick ? 4 : 30, warmup: 1 });
    return peers.map((peer) => {
      const min = PEER_GOALS[context.runtime][peer.name.startsWith('docker') ? 'docker' : 'podman'];
      return rowOf('run true', samples, peer.name, { baseline: ours.name, goal: { of: 'ratio', min } });
    });
  } finally {
    await Promise.all(peers.map((peer: Peer) => peer[Symbol.asyncDispose]()));
  }
}
