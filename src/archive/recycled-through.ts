import type { Transform } from 'node:stream';
import { engineError } from '../errors/index.js';

/** Output of one step; three times the input that is given at once, as layers unpack. */
export const RECYCLED_CHUNK = 512 * 1024;

/** How zlib's streams keep the memory that they put output into: a fresh piece whenever the last one is full. */
interface ZlibInside {
  _outBuffer?: Buffer;
  _outOffset?: number;
}

/**
 * Runs `source` through a stream of zlib whose output memory is used again: a chunk is good until the next one is asked
 * for, and a chunk of the source until that asks for its next one. Memory for each chunk, its page faults and the
 * collections that it causes cost as much as half the unpacking.
 *
 * The next step is computed (on another thread) while the caller has the output of the last one. Where zlib's streams
 * look different inside, it works all the same, with fresh memory.
 */
export async function* recycledThrough(
  source: AsyncIterable<Uint8Array>,
  transform: Transform,
  kind: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const recycler = new Recycler(transform);
  let failure: { cause: unknown } | undefined;
  // Also where the data ends before the source does: what stands behind is passed over.
  const over = new Promise<void>((resolve) => {
    transform.on('error', (cause) => {
      failure = { cause };
      resolve();
    });
    transform.on('end', resolve);
  });
  const assertWhole = () => {
    if (failure === undefined) return;
    throw engineError('BAD_ARCHIVE', `the ${kind} data is broken or truncated`, { cause: failure.cause });
  };
  try {
    for await (const chunk of source) {
      if (transform.readableEnded) continue;
      const consumed = new Promise<void>((resolve) => {
        transform.write(chunk, () => resolve());
      });
      yield* recycler.take();
      await Promise.race([consumed, over]);
      assertWhole();
      recycler.turn();
    }
    yield* recycler.take();
    transform.end();
    await over;
    assertWhole();
    recycler.turn();
    yield* recycler.take();
  } finally {
    transform.destroy();
  }
}

/** Collects the output of one step while that of the step before is used, each in its own memory. */
class Recycler {
  readonly #inside: ZlibInside;
  readonly #pieces: readonly [Buffer, Buffer];
  #current: 0 | 1 = 0;
  #making: Buffer[] = [];
  #made: Buffer[] = [];

  constructor(transform: Transform) {
    this.#inside = transform as unknown as ZlibInside;
    this.#pieces = [Buffer.allocUnsafeSlow(RECYCLED_CHUNK), Buffer.allocUnsafeSlow(RECYCLED_CHUNK)];
    transform.on('data', (chunk: Buffer) => this.#making.push(chunk));
    this.#offer();
  }

  /** The step is over: what it made is what `take` gives, and the next one gets the other piece. */
  turn(): void {
    this.#made = this.#making;
    this.#making = [];
    this.#current = this.#current === 0 ? 1 : 0;
    this.#offer();
  }

  *take(): Generator<Buffer> {
    yield* this.#made;
    this.#made = [];
  }

  /** Between steps nothing is being written. A step that needs more than a piece takes fresh memory for the rest. */
  #offer(): void {
    const inside = this.#inside;
    if (!Buffer.isBuffer(inside._outBuffer) || typeof inside._outOffset !== 'number') return;
    inside._outBuffer = this.#pieces[this.#current];
    inside._outOffset = 0;
  }
}
