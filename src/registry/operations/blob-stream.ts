import { Readable } from 'node:stream';
import { EngineError, engineError } from '../../errors/index.js';
import { abortError } from '../../util/signals.js';
import { brokenOff, isPassing, timedOut } from '../http/transport-error.js';
import type { RegistryLimits } from '../limits.js';
import { backoffMs, pause } from '../session/retry.js';
import type { BlobConnection, BlobConnector } from './blob-connector.js';

export interface BlobStreamOptions {
  readonly connector: BlobConnector;
  readonly digest: string;
  readonly offset: number;
  readonly limits: RegistryLimits;
  readonly signal: AbortSignal;
  /** Called once when the stream is over, in whatever way. */
  readonly onClose: () => void;
}

/** So much more than at the last break counts as progress: the tries begin anew. */
const PROGRESS = 1024 * 1024;
const BUFFER = 256 * 1024;

/** The bytes of a blob over as many connections as it takes. */
export class BlobStream extends Readable {
  readonly #options: BlobStreamOptions;
  #connection: BlobConnection;
  #position: number;
  #skip = 0;
  #breaks = 0;
  #lastBreakAt: number;
  #idle: NodeJS.Timeout | undefined;
  #detach: () => void = () => {};

  constructor(options: BlobStreamOptions, connection: BlobConnection) {
    super({ highWaterMark: BUFFER });
    this.#options = options;
    this.#connection = connection;
    this.#position = options.offset;
    this.#lastBreakAt = options.offset;
    // Without a listener an error between this and the first read would end the host's process.
    this.on('error', () => {});
    const { signal } = options;
    const onAbort = () => this.destroy(abortError(signal));
    signal.addEventListener('abort', onAbort, { once: true });
    this.once('close', () => {
      signal.removeEventListener('abort', onAbort);
      options.onClose();
    });
    this.#attach(connection);
    if (signal.aborted) onAbort();
  }

  override _read(): void {
    const { body } = this.#connection.answer;
    if (!body.isPaused()) return;
    this.#armIdle();
    body.resume();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#detach();
    const { body } = this.#connection.answer;
    if (!body.readableEnded) body.destroy();
    callback(error);
  }

  #attach(connection: BlobConnection): void {
    this.#connection = connection;
    this.#skip = connection.skip;
    const { body, url } = connection.answer;
    const { connector } = this.#options;
    const onData = (chunk: Buffer) => this.#take(chunk);
    const onEnd = () => {
      this.#detach();
      const isWhole = body.complete && (connector.size === undefined || this.#position === connector.size);
      if (isWhole) this.push(null);
      else this.#reconnect(brokenOff(url, 'ended a blob before its end'));
    };
    const onClose = () => {
      this.#detach();
      this.#reconnect(brokenOff(url, 'broke off in the middle of a blob'));
    };
    this.#detach = () => {
      clearTimeout(this.#idle);
      this.#detach = () => {};
      body.off('data', onData).off('end', onEnd).off('close', onClose);
    };
    body.on('data', onData).on('end', onEnd).on('close', onClose);
    body.pause();
    if (this.readableLength < BUFFER && this.#position > this.#options.offset) this._read();
    if (body.destroyed && !body.readableEnded) onClose();
  }

  #take(chunk: Buffer): void {
    this.#idle?.refresh();
    const bytes = this.#skip === 0 ? chunk : chunk.subarray(Math.min(this.#skip, chunk.length));
    this.#skip -= chunk.length - bytes.length;
    if (bytes.length === 0) return;
    this.#position += bytes.length;
    const { connector, digest } = this.#options;
    if (connector.size !== undefined && this.#position > connector.size) {
      this.destroy(
        engineError('SIZE_MISMATCH', `blob ${digest} has more than the ${connector.size} bytes that were announced`, {
          details: { digest, expected: connector.size, registry: this.#connection.answer.url.host },
        }),
      );
      return;
    }
    if (this.push(bytes)) return;
    this.#connection.answer.body.pause();
    // Nobody reads: that is no fault of the registry.
    clearTimeout(this.#idle);
    this.#idle = undefined;
  }

  #armIdle(): void {
    const { idleTimeoutMs } = this.#options.limits;
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => {
      this.#detach();
      this.#reconnect(timedOut(this.#connection.answer.url, 'idleTimeoutMs', idleTimeoutMs));
    }, idleTimeoutMs);
    this.#idle.unref();
  }

  #reconnect(failure: Error): void {
    const { connector } = this.#options;
    const { answer, endpoint } = this.#connection;
    answer.body.destroy();
    connector.failed(endpoint);
    this.#continue(failure).catch((error: Error) => this.destroy(error));
  }

  async #continue(failure: Error): Promise<void> {
    const { connector, limits, signal } = this.#options;
    if (this.#position - this.#lastBreakAt >= PROGRESS) this.#breaks = 0;
    this.#lastBreakAt = this.#position;
    for (let error: unknown = failure; ; ) {
      this.#breaks++;
      if (this.#breaks >= limits.attempts) throw error;
      await pause(backoffMs(this.#breaks, limits), { signal });
      try {
        const connection = await connector.connect(this.#position);
        if (this.destroyed) connection.answer.body.destroy();
        else this.#attach(connection);
        return;
      } catch (next) {
        if (!isPassing(next) || EngineError.is(next, 'CANCELED')) throw next;
        error = next;
      }
    }
  }
}
