import { closeSync, constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { Writable } from 'node:stream';

/** Opens a FIFO or pipe (a path under /proc/<pid>/fd too) for writing without waiting for its reader. */
export function openPipeWriter(path: string): Socket {
  const fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  try {
    return new Socket({ fd, readable: false, writable: true });
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/**
 * A writable over a pipe with back-pressure: a write is done when the pipe took it. After `end()` our descriptor is
 * closed and `afterEnd` run; its failure is the stream's error. `destroy()` closes without it: the reader sees no end.
 */
export function pipeWritable(pipe: Socket, afterEnd: () => Promise<void> | void): Writable {
  const writable = new Writable({
    highWaterMark: 64 << 10,
    write(chunk: Buffer, _encoding, done) {
      pipe.write(chunk, (error) => done(error ?? null));
    },
    final(done) {
      pipe.end(() => {
        pipe.destroy();
        pipe.once('close', () =>
          Promise.resolve()
            .then(afterEnd)
            .then(() => done(), done),
        );
      });
    },
    destroy(error, done) {
      pipe.destroy();
      done(error);
    },
  });
  pipe.on('error', (error) => writable.destroy(error));
  return writable;
}
