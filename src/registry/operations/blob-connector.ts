import { EngineError, engineError, quote } from '../../errors/index.js';
import type { HttpAnswer } from '../http/http-client.js';
import { discardBody } from '../http/read-body.js';
import { badAnswer } from '../http/transport-error.js';
import type { RegistryRepository } from '../names.js';
import { parseContentRange, parseLength } from '../protocol/ranges.js';
import type { Endpoint } from '../session/endpoints.js';
import { at, type Call, callerOf, type OperationDeps } from './deps.js';

/** A connection that gives the bytes of a blob. */
export interface BlobConnection {
  readonly answer: HttpAnswer;
  readonly endpoint: Endpoint;
  /** Bytes that come first and that the caller has already. */
  readonly skip: number;
}

export interface BlobRequest {
  readonly repository: RegistryRepository;
  readonly digest: string;
  /** What the caller knows of its size. */
  readonly size: number | undefined;
  /** In the order in which they are asked; the last one is the registry itself. */
  readonly endpoints: readonly Endpoint[];
}

/** A mirror that broke off so often is not asked again. */
const MAX_MIRROR_FAILURES = 2;

/** Opens connections to one blob, at any offset, and sees that they are all about the same bytes. */
export class BlobConnector {
  readonly #deps: OperationDeps;
  readonly #request: BlobRequest;
  readonly #call: Call;
  readonly #failures = new Map<Endpoint, number>();
  readonly #etags = new Map<string, string>();
  #size: number | undefined;
  #usesRanges = true;

  constructor(deps: OperationDeps, request: BlobRequest, call: Call) {
    this.#deps = deps;
    this.#request = request;
    this.#call = call;
    this.#size = request.size;
  }

  /** Size of the blob, from the caller or from the first answer that told it. */
  get size(): number | undefined {
    return this.#size;
  }

  /** The connection of this endpoint broke. */
  failed(endpoint: Endpoint): void {
    this.#failures.set(endpoint, (this.#failures.get(endpoint) ?? 0) + 1);
  }

  /**
   * Bytes from `offset` on. Throws REGISTRY_NOT_FOUND, SIZE_MISMATCH, REGISTRY_BLOB_CHANGED when the blob is not what it
   * was at the last connection, REGISTRY_BAD_ANSWER, and what a request throws.
   */
  async connect(offset: number): Promise<BlobConnection> {
    const { endpoints } = this.#request;
    for (const endpoint of endpoints) {
      const isLast = endpoint === endpoints.at(-1);
      if (!isLast && (this.#failures.get(endpoint) ?? 0) >= MAX_MIRROR_FAILURES) continue;
      try {
        return await this.#connectTo(endpoint, offset);
      } catch (error) {
        if (isLast || this.#call.signal.aborted || !EngineError.is(error)) throw error;
        this.#failures.set(endpoint, MAX_MIRROR_FAILURES);
      }
    }
    throw engineError('BUG', 'a blob has no endpoint');
  }

  async #connectTo(endpoint: Endpoint, offset: number): Promise<BlobConnection> {
    const { repository, digest } = this.#request;
    const place = at(endpoint, repository.repository, 'pull');
    for (;;) {
      const withRange = offset > 0 && this.#usesRanges;
      const answer = await this.#deps.session.send(
        endpoint,
        {
          ...place,
          ...callerOf(endpoint, this.#call),
          method: 'GET',
          path: `${place.path}/blobs/${digest}`,
          headers: { Accept: '*/*', ...(withRange && { Range: `bytes=${offset}-` }) },
          accepts: withRange ? [200, 206, 416] : [200],
          subject: { kind: 'blob', name: `${repository.registry}/${repository.repository}@${digest}` },
        },
        this.#call.signal,
      );
      try {
        const skip = this.#check(answer, offset);
        if (skip !== undefined) return { answer, endpoint, skip };
      } catch (error) {
        answer.body.destroy();
        throw error;
      }
      // It does not understand ranges: all of it again, and what we have is passed over.
      this.#usesRanges = false;
      await discardBody(answer);
    }
  }

  /** Bytes to pass over; `undefined` when the answer to a range is no use. */
  #check(answer: HttpAnswer, offset: number): number | undefined {
    const { headers, status, url } = answer;
    const encoding = headers['content-encoding'] ?? 'identity';
    if (encoding !== 'identity') throw badAnswer(url, `gave a blob in encoding ${quote(encoding)}`);
    if (status === 416) return undefined;
    const length = parseLength(headers['content-length']);
    if (status === 206) {
      const range = parseContentRange(headers['content-range']);
      if (range === undefined || range.start !== offset) return undefined;
      if (range.total === undefined && this.#size === undefined) return undefined;
      if (range.total !== undefined) this.#sameSize(range.total, url);
      // A shorter piece than asked for: the rest is fetched when it is over.
      if (length !== undefined && length !== range.end - range.start + 1) return undefined;
    } else if (length !== undefined) this.#sameSize(length, url);
    this.#sameTag(answer);
    return status === 206 ? 0 : offset;
  }

  #sameSize(size: number, url: URL): void {
    this.#size ??= size;
    if (this.#size === size) return;
    const { digest } = this.#request;
    throw engineError(
      'SIZE_MISMATCH',
      `blob ${digest} has ${size} bytes at ${quote(url.host)}, expected ${this.#size}`,
      {
        details: { digest, expected: this.#size, actual: size, registry: url.host },
      },
    );
  }

  /** Entity tags of one host must stay the same; others may call the same bytes otherwise. */
  #sameTag({ headers, url }: HttpAnswer): void {
    const tag = headers.etag;
    if (tag === undefined || !tag.startsWith('"')) return;
    const before = this.#etags.get(url.origin);
    if (before === undefined) this.#etags.set(url.origin, tag);
    else if (before !== tag) {
      const { digest } = this.#request;
      throw engineError('REGISTRY_BLOB_CHANGED', `blob ${digest} at ${quote(url.host)} is not what it was before`, {
        details: { digest, registry: url.host },
      });
    }
  }
}
