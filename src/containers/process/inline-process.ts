import { closeSync } from 'node:fs';
import { PassThrough, Readable } from 'node:stream';
import { ReadStream } from 'node:tty';
import { engineError } from '../../errors/index.js';
import type { Child } from '../../os/index.js';
import { openPty, setTerminalSize } from '../../os/syscalls/index.js';

/** Where a runtime process gets its stdio: pipes, or a terminal of ours. */
export interface InlineStdio {
  readonly stdin: 'pipe' | 'null';
  readonly stdout: 'pipe' | 'null';
  readonly stderr: 'pipe' | 'null';
  readonly newSession: boolean;
  readonly terminalPath: string | undefined;
  /** Turns the started child into streams; call it once. */
  attach(child: Child): InlineStreams;
  /** Frees what was opened for a child that never started. */
  abandon(): void;
}

export interface InlineStreams {
  readonly stdin: Child['stdin'];
  readonly stdout: Readable;
  readonly stderr: Readable;
  resize(size: { readonly rows: number; readonly columns: number }): void;
}

export function openStdio(options: {
  tty: boolean;
  stdin: boolean;
  consoleSize?: { rows: number; columns: number };
}): InlineStdio {
  return options.tty ? terminalStdio(options.consoleSize) : pipeStdio(options.stdin);
}

function pipeStdio(stdin: boolean): InlineStdio {
  return {
    stdin: stdin ? 'pipe' : 'null',
    stdout: 'pipe',
    stderr: 'pipe',
    newSession: false,
    terminalPath: undefined,
    attach: (child) => ({
      stdin: child.stdin,
      stdout: child.stdout ?? emptyStream(),
      stderr: child.stderr ?? emptyStream(),
      resize() {
        throw engineError('BAD_OPTION', 'resize needs a process with tty: true');
      },
    }),
    abandon() {},
  };
}

/** The runtime in the foreground copies between its own terminal (ours) and the container's. */
function terminalStdio(size: { rows: number; columns: number } | undefined): InlineStdio {
  const { masterFd, slavePath } = openPty();
  if (size !== undefined) setTerminalSize(masterFd, size.rows, size.columns);
  return {
    stdin: 'null',
    stdout: 'null',
    stderr: 'null',
    newSession: true,
    terminalPath: slavePath,
    attach() {
      const master = new ReadStream(masterFd);
      const stdout = new PassThrough();
      let open = true;
      // The kernel reports the other side's end as EIO: for us that is the end of the output.
      master.on('error', () => master.destroy());
      master.on('close', () => {
        open = false;
        stdout.end();
      });
      master.on('data', (chunk) => {
        if (!stdout.write(chunk)) master.pause();
      });
      stdout.on('drain', () => master.resume());
      stdout.on('end', () => stdout.destroy());
      return {
        stdin: master as unknown as NonNullable<Child['stdin']>,
        stdout,
        stderr: emptyStream(),
        resize: ({ rows, columns }) => {
          if (open) setTerminalSize(masterFd, rows, columns);
        },
      };
    },
    abandon: () => closeSync(masterFd),
  };
}

function emptyStream(): Readable {
  return Readable.from([]);
}
