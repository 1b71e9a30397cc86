import { realpathSync } from 'node:fs';
import { findExecutable, runTool } from '../os/index.js';
import { type CallOptions, throwIfAborted } from '../util/signals.js';
import { parseVersion } from './versions.js';

const PROBE_LIMIT_MS = 5_000;

/** A program that was asked for its version. */
export interface ProgramFacts {
  /** Absolute, links resolved. */
  readonly path: string;
  /** Semver; `undefined` when it did not answer with one. */
  readonly version: string | undefined;
  /** Why there is no version. */
  readonly problem: string | undefined;
}

/** Asks programs for their versions; a port, so that tests can be without them. */
export interface ProgramProbes {
  probe(program: string, versionArgs: readonly string[], call?: CallOptions): Promise<ProgramFacts | undefined>;
}

/** The real probes: a system directory's program, or a path; `undefined` when it is not there. */
export const SYSTEM_PROBES: ProgramProbes = {
  async probe(program, versionArgs, call = {}) {
    const found = findExecutable(program);
    if (found === undefined) return undefined;
    const path = realpathSync(found);
    try {
      const limits = { timeoutMs: PROBE_LIMIT_MS, maxOutputBytes: 64 << 10 };
      const output = await runTool(path, versionArgs, { ...limits, ...call });
      const version = output.code === 0 ? parseVersion(output.stdout || output.stderr) : undefined;
      const ended = output.code === null ? `signal ${output.signal}` : `exit status ${output.code}`;
      const problem = version === undefined ? `no version from ${versionArgs.join(' ')} (${ended})` : undefined;
      return { path, version, problem };
    } catch (error) {
      throwIfAborted(call.signal);
      return { path, version: undefined, problem: (error as Error).message };
    }
  },
};
