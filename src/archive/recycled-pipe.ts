import { closeSync } from 'node:fs';
import { type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net';
import { growPipe, pipe2 } from '../os/syscalls/index.js';

/** What a program may write ahead, and what is read at once. */
const PIPE_BYTES = 512 * 1024;

/** A pipe that is read into one piece of memory again and again. */
export interface RecycledPipe {
  /** For the program that writes. */
  readonly writeFd: number;
  /** To be called once the program has it. */
  closeWriteFd(): void;
  /** What comes; each chunk is good until the next one is asked for. */
  read(): AsyncGenerator<Uint8Array, void, undefined>;
  /** Idempotent. */
  close(): void;
}

export function openRecycledPipe(): RecycledPipe {
  const { readFd, writeFd } = pipe2();
  growPipe(readFd, PIPE_BYTES);
  let waiting: Uint8Array | undefined;
  let isOver = false;
  let wake = () => {};
  const notice = () => {
    const resume = wake;
    wake = () => {};
    resume();
  };
  const onread: OnReadOpts = {
    buffer: Buffer.allocUnsafeSlow(PIPE_BYTES),
    callback: (length, buffer) => {
      waiting = buffer.subarray(0, length);
      notice();
      // Paused until it is asked for more.
      return false;
    },
  };
  // The types know it for sockets that connect only; Node takes it for any.
  const options: SocketConstructorOpts & { onread: OnReadOpts } = {
    fd: readFd,
    readable: true,
    writable: false,
    onread,
  };
  const socket = new Socket(options);
  const over = () => {
    isOver = true;
    notice();
  };
  socket.on('error', over);
  socket.on('end', over);
  socket.on('close', over);
  return {
    writeFd,
    closeWriteFd: () => closeSync(writeFd),
    close: () => void socket.destroy(),
    async *read() {
      for (;;) {
        const more = new Promise<void>((resolve) => {
          wake = resolve;
        });
        socket.resume();
        if (waiting === undefined && !isOver) await more;
        const chunk = waiting;
        waiting = undefined;
        if (chunk === undefined) return;
        yield chunk;
      }
    },
  };
}
