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
  /**
   * Settles when the process has ended and all that belonged to it is cleaned up, whether or not its output was read.
   * Rejects when it could not be started (COMMAND_NOT_FOUND and its kin, with `details.exitCode`) and when its signal
   * was aborted (CANCELED, TIMED_OUT). Nothing happens to a host that does not look at it.
   */
  readonly exit: Promise<ProcessExit>;
  /**
   * Sends a signal: a name with or without `SIG`, or a number. False when the process has ended. Throws BAD_SIGNAL.
   * @defaultValue SIGTERM
   */
  kill(signal?: string | number): boolean;
  /** Sets the terminal's size, in characters. Throws BAD_OPTION without a tty; nothing happens after the end. */
  resize(size: { readonly rows: number; readonly columns: number }): void;
}

/** Output of a process that has ended. @public */
export interface ProcessResult extends ProcessExit {
  /** As UTF-8 text, unchanged: the last newline is there. With a tty: all output, with `\r\n` line ends. */
  readonly stdout: string;
  /** As UTF-8 text; empty with a tty. */
  readonly stderr: string;
  /** The bytes of stdout. */
  readonly stdoutBytes: Buffer;
  /** The bytes of stderr. */
  readonly stderrBytes: Buffer;
  /** From the call to the end of clean-up, milliseconds. */
  readonly durationMs: number;
}
