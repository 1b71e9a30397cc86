import { createHash, type Hash } from 'node:crypto';
import { engineError, quote } from '../errors/index.js';

/** Hashes (SHA-256) and counts the bytes that pass through. */
export class HashingStream {
  readonly #hash: Hash = createHash('sha256');
  #digest: `sha256:${string}` | undefined;
  #size = 0;

  /** Bytes so far. */
  get size(): number {
    return this.#size;
  }

  /** The digest of all bytes; nothing can be added after the first use. */
  get digest(): `sha256:${string}` {
    this.#digest ??= `sha256:${this.#hash.digest('hex')}`;
    return this.#digest;
  }

  /** Adds bytes. */
  update(chunk: Uint8Array): void {
    this.#size += chunk.length;
    this.#hash.update(chunk);
  }

  /** Passes `source` on and adds what it brings. */
  async *pass(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of source) {
      this.update(chunk);
      yield chunk;
    }
  }
}

/** What the bytes of a stream should be; what is left out is not checked. */
export interface Expected {
  readonly digest?: string;
  /** Bytes. */
  readonly size?: number;
  /** What it is, for the message: `blob`, `layer`… */
  readonly what?: string;
}

/**
 * Passes `source` on and checks it: throws SIZE_MISMATCH as soon as there is more than announced or at the end when
 * there is less, and DIGEST_MISMATCH at the end. Bytes were passed on by then: the consumer must not trust them before
 * the end.
 */
export async function* verifyStream(
  source: AsyncIterable<Uint8Array>,
  expected: Expected,
): AsyncGenerator<Uint8Array, void, undefined> {
  const what = expected.what ?? 'blob';
  const hashing = expected.digest === undefined ? undefined : new HashingStream();
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (expected.size !== undefined && size > expected.size)
      throw sizeMismatch(what, expected, `more than ${expected.size}`);
    hashing?.update(chunk);
    yield chunk;
  }
  if (expected.size !== undefined && size < expected.size) throw sizeMismatch(what, expected, String(size));
  if (hashing !== undefined && hashing.digest !== expected.digest) {
    throw engineError('DIGEST_MISMATCH', `${what} ${quote(expected.digest)} has the digest ${hashing.digest}`, {
      details: { expected: expected.digest, actual: hashing.digest },
    });
  }
}

function sizeMismatch(what: string, expected: Expected, actual: string): Error {
  const name = expected.digest === undefined ? '' : ` ${quote(expected.digest)}`;
  return engineError('SIZE_MISMATCH', `${what}${name} has ${actual} bytes, announced were ${expected.size}`, {
    details: { expected: expected.size, actual },
  });
}
