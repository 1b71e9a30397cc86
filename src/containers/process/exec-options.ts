import { validateExecOptions } from '../../spec/index.js';
import type { CollectOptions } from './collect.js';

/** How to run a further process in a running container. @public */
export interface ExecOptions {
  /** Added to the container's environment. */
  readonly env?: Readonly<Record<string, string>> | readonly string[];
  /** Absolute. @defaultValue the container's */
  readonly workingDir?: string;
  /** `name`, `uid`, `name:group`, `uid:gid`. @defaultValue the container's */
  readonly user?: string;
  /** Give the process a terminal; all its output is then on stdout. @defaultValue false */
  readonly tty?: boolean;
  /** Terminal size at start, in characters; needs tty. */
  readonly consoleSize?: { readonly rows: number; readonly columns: number };
  /** All capabilities. @defaultValue false */
  readonly privileged?: boolean;
}

/** Options of a container's `spawn`. @public */
export interface SpawnOptions extends ExecOptions {
  /** Give the process a stdin to write to; otherwise it reads end-of-file at once. With `tty` it always has one. @defaultValue false */
  readonly stdin?: boolean;
  /** Kills the process: `exit` then rejects with CANCELED or TIMED_OUT. */
  readonly signal?: AbortSignal;
}

/** Throws UNKNOWN_OPTION or the reason of the bad field. Those of collecting have their own check. */
export function checkExecOptions(options: SpawnOptions & CollectOptions): void {
  const { signal: _signal, input: _input, maxOutputBytes: _max, timeoutMs: _timeout, check: _check, ...own } = options;
  validateExecOptions(own);
}
