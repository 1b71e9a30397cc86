import type { BenchRow } from './rows.js';

export type RuntimeName = 'runc' | 'crun';

/** What a suite gets: it runs alone in a Node process of its own. */
export interface SuiteContext {
  /** Private, empty, on the benchmark's file system. */
  readonly dir: string;
  readonly runtime: RuntimeName;
  readonly quick: boolean;
  /** Compare with docker and podman too. */
  readonly peers: boolean;
  readonly log: (message: string) => void;
}

export interface Suite {
  readonly name: string;
  /** Runtimes it is run for, each in a process of its own. */
  readonly runtimes: readonly RuntimeName[];
  /** The same for a quick run. @defaultValue `runtimes` */
  readonly quickRuntimes?: readonly RuntimeName[];
  run(context: SuiteContext): Promise<readonly BenchRow[]>;
}
