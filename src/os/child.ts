import type { Readable, Writable } from 'node:stream';

/** What to start and how; the environment is exactly `env`, nothing of the host's. */
export interface SpawnRequest {
  /** Absolute path of the executable. */
  readonly file: string;
  /** Arguments after argv[0]. */
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** `null`: /dev/null. A number: that descriptor of ours. Default `null` for stdin, `pipe` for the others. */
  readonly stdin?: StdioKind;
  readonly stdout?: StdioKind;
  readonly stderr?: StdioKind;
  /** Further descriptors of ours that the child gets as 3, 4, … */
  readonly extraFds?: readonly number[];
  /** Join this process group of the same session; 0 makes a new one. */
  readonly processGroup?: number;
  /** Start a new session instead (the child becomes its own group). */
  readonly newSession?: boolean;
  /** Path of a terminal that becomes stdin, stdout and stderr; with newSession the controlling one. */
  readonly terminalPath?: string;
  /**
   * How the exit is noticed. `pipe` (default): at once, through a descriptor behind `extraFds` that the child must not
   * hand to processes that outlive it. `poll`: for programs that leave a daemon behind.
   */
  readonly exitWatch?: 'pipe' | 'poll';
}

export type StdioKind = 'null' | 'pipe' | number;

export interface ChildExit {
  /** Exit code, or null when a signal ended it. */
  readonly code: number | null;
  /** Signal number, or null. */
  readonly signal: number | null;
}

/** A child process started without Node's `spawn`. */
export interface Child {
  readonly pid: number;
  /** Present where the request said `pipe`. */
  readonly stdin: Writable | undefined;
  readonly stdout: Readable | undefined;
  readonly stderr: Readable | undefined;
  /** Resolves when the process has ended and is reaped; never rejects. Output may still be buffered in the streams. */
  readonly exit: Promise<ChildExit>;
  /** Signals the child if it has not been reaped. */
  kill(signal?: NodeJS.Signals | number): boolean;
  /** Lets the host's event loop end while the child runs. */
  unref(): void;
}

export interface RunOutput extends ChildExit {
  readonly stdout: string;
  readonly stderr: string;
}
