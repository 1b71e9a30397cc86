import { abortError } from '../../util/signals.js';
import type { HttpAnswer } from './http-client.js';
import { badAnswer, brokenOff, timedOut } from './transport-error.js';

export interface ReadBodyOptions {
  readonly maxBytes: number;
  readonly idleTimeoutMs: number;
  readonly signal: AbortSignal;
  /** Keep the first `maxBytes` instead of failing when there are more. */
  readonly cut?: boolean;
  /** Thrown instead of REGISTRY_BAD_ANSWER when there are more. */
  readonly tooLong?: () => Error;
}

/** Collects a small body. Throws REGISTRY_BAD_ANSWER above the limit, REGISTRY_UNREACHABLE when it breaks off, REGISTRY_TIMEOUT. */
export function readBody(answer: HttpAnswer, options: ReadBodyOptions): Promise<Buffer> {
  const { maxBytes, idleTimeoutMs, signal } = options;
  const { body, url } = answer;
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const finish = (settle: () => void) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      body.off('data', onData).off('end', onEnd).off('close', onClose);
      settle();
    };
    const fail = (error: Error) =>
      finish(() => {
        body.destroy();
        reject(error);
      });
    const onAbort = () => fail(abortError(signal));
    const onData = (chunk: Buffer) => {
      timer.refresh();
      chunks.push(chunk);
      length += chunk.length;
      if (length <= maxBytes) return;
      if (options.cut) {
        finish(() => {
          body.destroy();
          resolve(Buffer.concat(chunks).subarray(0, maxBytes));
        });
      } else fail(options.tooLong?.() ?? badAnswer(url, `has a body of more than ${maxBytes} bytes`));
    };
    const onEnd = () => {
      if (body.complete) finish(() => resolve(Buffer.concat(chunks)));
      else onClose();
    };
    // Before the end: the connection broke in the middle.
    const onClose = () => fail(brokenOff(url, 'broke off in the middle of its answer'));
    const timer = setTimeout(() => fail(timedOut(url, 'idleTimeoutMs', idleTimeoutMs)), idleTimeoutMs);
    timer.unref();
    body.on('data', onData).on('end', onEnd).on('close', onClose);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    else if (body.destroyed && !body.readableEnded) onClose();
  });
}

const KEEP_UP_TO = 64 * 1024;
const KEEP_FOR_MS = 1_000;

/**
 * Gets rid of a body: a short one is read, so that the connection can be kept; one that is long in size or time is cut
 * off. Resolves when it is gone, for those who want to use the same connection again; never rejects.
 */
export function discardBody({ body }: Pick<HttpAnswer, 'body'>): Promise<void> {
  if (body.destroyed) return Promise.resolve();
  let length = 0;
  const timer = setTimeout(() => body.destroy(), KEEP_FOR_MS);
  timer.unref();
  const gone = new Promise<void>((resolve) => {
    body.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
  // Counted as it comes: the answer to HEAD announces a length and has no body.
  body.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length > KEEP_UP_TO) body.destroy();
  });
  return gone;
}
