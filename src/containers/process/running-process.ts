import type { Readable, Writable } from 'node:stream';

/** How a process in a container ended. @public */
export interface ProcessExit {
  /** 0 to 255; 128 + n when signal n ended it, as a shell shows it. */
  readonly exitCode: number;
}

/** A running process in a container, with its streams. @public */
export interface RunningProcess {
  /** Present when stdin was asked for; ending it is end-of-file for the process. */
  readonly stdin: Writable | undefined;
  /** Read it or the process waits once its pipe (64 KiB) is full. With a tty: all output. */
  readonly stdout: Readable;
  /** Empty with a tty. */
  readonly stderr: Readable;
  /** Settles when the process has ended and all that belonged to it is cleaned up; rejects when it could not be started. */
  readonly exit: Promise<ProcessExit>;
  /** Sends a signal (default SIGTERM); false when it has ended. */
  kill(signal?: NodeJS.Signals | number): boolean;
  /** Sets the terminal's size; needs a tty. */
  resize(size: { readonly rows: number; readonly columns: number }): void;
}

/** Output of a process that has ended. @public */
export interface ProcessResult extends ProcessExit {
  readonly stdout: string;
  readonly stderr: string;
  readonly stdoutBytes: Buffer;
  readonly stderrBytes: Buffer;
  /** From the call to the end of clean-up, milliseconds. */
  readonly durationMs: number;
}
