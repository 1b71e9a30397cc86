import { parseArgs } from 'node:util';
import type { RuntimeName } from './suite.js';

export interface BenchArguments {
  readonly quick: boolean;
  readonly peers: boolean;
  /** Exit with 1 when a goal is missed. */
  readonly check: boolean;
  /** Suites whose name contains one of these; empty: all. */
  readonly suites: readonly string[];
  readonly runtimes: readonly RuntimeName[];
  /** Set in the process of one suite. */
  readonly child: { readonly suite: string; readonly dir: string; readonly output: string } | undefined;
}

export const USAGE = `npm run bench -- [options]
  --quick            few rounds: a minute instead of ten
  --suite <name>     only suites whose name contains this (repeatable)
  --runtime <name>   only runc or crun (repeatable)
  --no-peers         do not compare with docker and podman
  --check            exit with 1 when a goal is missed`;

export function parseArguments(args: readonly string[]): BenchArguments {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      'no-peers': { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      suite: { type: 'string', multiple: true, default: [] },
      runtime: { type: 'string', multiple: true, default: [] },
      help: { type: 'boolean', default: false },
      child: { type: 'string' },
      dir: { type: 'string' },
      output: { type: 'string' },
    },
  });
  if (values.help) {
    console.log(USAGE);
    process.exit(0);
  }
  const { child, dir, output } = values;
  return {
    quick: values.quick,
    peers: !values['no-peers'],
    check: values.check,
    suites: values.suite,
    runtimes: values.runtime as RuntimeName[],
    child: child && dir && output ? { suite: child, dir, output } : undefined,
  };
}
