import type { Child, SpawnRequest, StdioKind } from '../os/child.js';
import type { CallOptions } from '../util/signals.js';

/** A runtime binary that was probed. */
export interface RuntimeBinary {
  /** Name in the configuration: runc, crun or the host's own. */
  readonly name: string;
  /** Flavor decides flags and the cure for known defects. */
  readonly flavor: 'runc' | 'crun' | 'other';
  /** Absolute real path, resolved once. */
  readonly path: string;
  readonly version: string;
}

export interface RuntimeStdio {
  readonly stdin: StdioKind;
  readonly stdout: StdioKind;
  readonly stderr: StdioKind;
}

export interface RunRequest extends RuntimeStdio {
  readonly id: string;
  /** Directory with config.json. */
  readonly bundle: string;
  /** Written by the runtime when the process has started. */
  readonly pidFile?: string;
  /** File that takes the runtime's own JSON log; must not exist or be empty. */
  readonly logFile: string;
  readonly processGroup?: number;
  readonly newSession?: boolean;
  /** With newSession: a terminal that becomes stdin, stdout and stderr of the runtime, for a process with a tty. */
  readonly terminalPath?: string;
}

export interface ExecRequest extends RuntimeStdio {
  readonly id: string;
  /** OCI process document. */
  readonly processFile: string;
  readonly pidFile?: string;
  readonly logFile: string;
  readonly processGroup?: number;
  readonly newSession?: boolean;
  readonly terminalPath?: string;
}

export type RuntimeStatus = 'creating' | 'created' | 'running' | 'paused' | 'stopped';

export interface RuntimeState {
  readonly id: string;
  readonly status: RuntimeStatus;
  readonly pid: number;
}

/**
 * One OCI runtime command line: plain data in, children and data out. No policy, no records, no retries.
 * Errors: RUNTIME_FAILED with the runtime's own last log message; COMMAND_NOT_FOUND and COMMAND_NOT_EXECUTABLE where that message says so.
 */
export interface OciRuntime {
  readonly binary: RuntimeBinary;
  /** `--root` of this runtime: state of its containers. */
  readonly root: string;
  /** Global arguments before the verb (root, log, log format). */
  globalArgs(logFile: string | undefined): readonly string[];
  /** Starts `run` in the foreground: the child lives as long as the container. */
  run(request: RunRequest): Child;
  /** `exec` in the foreground. */
  exec(request: ExecRequest): Child;
  start(id: string, call?: CallOptions): Promise<void>;
  /** Sends a signal to the container's init (or to all its processes); false when the container is gone or stopped. */
  kill(id: string, signal: string | number, options?: CallOptions & { all?: boolean }): Promise<boolean>;
  /** `delete --force`; idempotent, also for a half-made container. */
  delete(id: string, call?: CallOptions): Promise<void>;
  /** `undefined` when the runtime does not know the id. */
  state(id: string, call?: CallOptions): Promise<RuntimeState | undefined>;
  /** The error that the runtime's log file tells of after a failed verb; `undefined` when it logged none. */
  readError(
    logFile: string,
    fallback?: { argv: readonly string[]; exitCode: number | null; stderr: string },
  ): Error | undefined;
}

/** Starts processes; the hot path's port. */
export interface Spawner {
  spawn(request: SpawnRequest): Child;
}
