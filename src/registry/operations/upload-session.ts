import { Readable } from 'node:stream';
import { EngineError, engineError } from '../../errors/index.js';
import { cleanupSignal } from '../../util/signals.js';
import type { HttpAnswer } from '../http/http-client.js';
import { discardBody } from '../http/read-body.js';
import { badAnswer, isPassing } from '../http/transport-error.js';
import { isDigest, type RegistryRepository } from '../names.js';
import { parseLength, parseUploadRange } from '../protocol/ranges.js';
import { backoffMs, pause } from '../session/retry.js';
import type { RegistryRequest } from '../session/session.js';
import { type BlobToUpload, isWorthAnother, type UploadOptions } from './blob-to-upload.js';
import { headBlob } from './blobs.js';
import { at, type Call, type OperationDeps, originFor } from './deps.js';

/** Where an upload goes on. */
export interface UploadStart {
  readonly location: URL;
  /** The registry takes no smaller pieces, but for the last one. */
  readonly minChunkBytes: number;
}

/** Small ones go with the request that closes the upload: one round trip less. */
const SMALL = 64 * 1024;
/** So much more than at the last break counts as progress: the tries begin anew. */
const PROGRESS = 1024 * 1024;

/** Opens an upload, or links the blob of another repository where that is asked for and possible. */
export async function startUpload(
  deps: OperationDeps,
  repository: RegistryRepository,
  wanted: { readonly digest: string; readonly mountFrom?: string | undefined },
  call: Call,
): Promise<UploadStart | 'mounted'> {
  const origin = originFor(repository);
  const place = at(origin, repository.repository, 'pull', 'push');
  const { digest, mountFrom } = wanted;
  const from = mountFrom === undefined ? [] : at(origin, mountFrom, 'pull').scopes;
  const query = mountFrom === undefined ? '' : `?mount=${digest}&from=${encodeURIComponent(mountFrom)}`;
  const answer = await deps.session.send(
    origin,
    {
      ...place,
      scopes: [...place.scopes, ...from],
      method: 'POST',
      path: `${place.path}/blobs/uploads/${query}`,
      headers: { 'Content-Length': '0' },
      auth: call.auth,
      accepts: mountFrom === undefined ? [202] : [201, 202],
      subject: { kind: 'upload', name: `${repository.registry}/${repository.repository}@${digest}` },
    },
    call.signal,
  );
  await discardBody(answer);
  if (answer.status === 201) {
    const told = answer.headers['docker-content-digest'];
    if (isDigest(told) && told !== digest) throw badAnswer(answer.url, `linked blob ${told} instead of ${digest}`);
    return 'mounted';
  }
  const min = parseLength([answer.headers['oci-chunk-min-length'] ?? []].flat()[0]);
  return { location: deps.session.locationOf(answer), minChunkBytes: min ?? 0 };
}

export interface UploadSessionDeps {
  readonly deps: OperationDeps;
  readonly repository: RegistryRepository;
  readonly start: UploadStart;
  readonly call: Call;
}

/** One upload, from its opening to the end of it or to the moment when the registry has lost it. */
export class UploadSession {
  readonly #own: UploadSessionDeps;
  #location: URL;
  #wasResumed = false;

  constructor(own: UploadSessionDeps) {
    this.#own = own;
    this.#location = own.start.location;
  }

  async send(blob: BlobToUpload, options: UploadOptions): Promise<void> {
    if (blob.size <= SMALL) {
      await this.#close(blob, await this.#bytes(blob, { from: 0, to: blob.size }, options));
      return;
    }
    const { limits } = this.#own.deps.session;
    const { chunkBytes = blob.size } = options;
    const chunk = Math.max(chunkBytes, this.#own.start.minChunkBytes, 1);
    let breaks = 0;
    let best = 0;
    for (let sent = 0; sent < blob.size; ) {
      try {
        sent = await this.#sendPiece(blob, { from: sent, to: Math.min(sent + chunk, blob.size) }, options);
      } catch (error) {
        if (this.#own.call.signal.aborted || !isWorthAnother(error)) throw error;
        breaks++;
        this.#wasResumed = true;
        if (breaks >= limits.attempts) throw error;
        await pause(backoffMs(breaks, limits), { signal: this.#own.call.signal });
        sent = await this.#whereItIs(blob, error);
        if (sent - best >= PROGRESS) {
          best = sent;
          breaks = 0;
        }
      }
    }
    await this.#close(blob, undefined);
  }

  /** Tells the registry to forget it. Never throws: it forgets by itself some day. */
  async cancel(): Promise<void> {
    const { deps, repository, call } = this.#own;
    const request = { ...this.#request(''), method: 'DELETE' as const, accepts: [200, 202, 204, 404], attempts: 1 };
    // The caller's own signal may be what ended the upload.
    const signal = call.signal.aborted ? cleanupSignal(2_000) : call.signal;
    try {
      await discardBody(await deps.session.send(originFor(repository), request, signal));
    } catch (error) {
      if (!EngineError.is(error)) throw error;
    }
  }

  async #sendPiece(blob: BlobToUpload, { from, to }: Piece, options: UploadOptions): Promise<number> {
    const { deps, repository, call } = this.#own;
    const body = await this.#stream(blob, { from, to }, options);
    const isWhole = from === 0 && to === blob.size;
    const answer = await deps.session.send(
      originFor(repository),
      {
        ...this.#request(blob.digest),
        method: 'PATCH',
        headers: {
          'Content-Type': 'application/octet-stream',
          'Content-Length': String(to - from),
          // Without it for a whole blob: some registries know no ranges.
          ...(!isWhole && { 'Content-Range': `${from}-${to - 1}` }),
        },
        body: () => body,
        isRepeatable: false,
        headersTimeoutMs: deps.session.limits.commitTimeoutMs,
        accepts: [202, 201, 204],
      },
      call.signal,
    );
    await this.#moveTo(answer);
    const arrived = parseUploadRange([answer.headers.range ?? []].flat()[0]) ?? to;
    if (arrived > to || arrived < from) throw lost(blob, `has ${arrived} bytes after those up to ${to}`);
    return arrived;
  }

  /** Bytes that the registry has of it. Throws REGISTRY_UPLOAD_FAILED when it does not know it any more. */
  async #whereItIs(blob: BlobToUpload, cause: unknown): Promise<number> {
    const { deps, repository, call } = this.#own;
    try {
      const request = { ...this.#request(blob.digest), method: 'GET' as const, accepts: [204, 200, 202] };
      const answer = await deps.session.send(originFor(repository), request, call.signal);
      const arrived = parseUploadRange([answer.headers.range ?? []].flat()[0]);
      if (answer.headers.location !== undefined) await this.#moveTo(answer);
      else await discardBody(answer);
      if (arrived !== undefined && arrived <= blob.size) return arrived;
    } catch (error) {
      if (!isWorthAnother(error) && !EngineError.is(error, undefined, 'REGISTRY_UNSUPPORTED')) throw error;
    }
    throw lost(blob, 'lost an upload', cause);
  }

  async #close(blob: BlobToUpload, bytes: Buffer | undefined): Promise<void> {
    const { deps, repository, call } = this.#own;
    const { limits } = deps.session;
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#closeOnce(blob, bytes);
        return;
      } catch (error) {
        if (isDigestRefused(error)) {
          // It may have kept something else of the broken connection than it said.
          throw this.#wasResumed ? lost(blob, 'mixed up an upload', error) : mismatch(blob, error);
        }
        // What is all there need not be sent again because one answer was lost.
        const isWorthIt = bytes === undefined && (isPassing(error) || EngineError.is(error, 'UNAVAILABLE'));
        if (call.signal.aborted || !isWorthIt || attempt >= limits.attempts) throw error;
        if ((await headBlob(deps, repository, blob.digest, call)) !== undefined) return;
        await pause(backoffMs(attempt, limits), { signal: call.signal });
      }
    }
  }

  async #closeOnce(blob: BlobToUpload, bytes: Buffer | undefined): Promise<void> {
    const { deps, repository, call } = this.#own;
    const location = new URL(this.#location);
    // Not through URLSearchParams: it would spell the registry's own part anew.
    location.search += `${location.search === '' ? '?' : '&'}digest=${encodeURIComponent(blob.digest)}`;
    const type = bytes === undefined ? {} : { 'Content-Type': 'application/octet-stream' };
    const answer = await deps.session.send(
      originFor(repository),
      {
        ...this.#request(blob.digest),
        path: location,
        method: 'PUT',
        headers: { ...type, 'Content-Length': String(bytes?.length ?? 0) },
        body: bytes === undefined ? undefined : () => bytes,
        isRepeatable: false,
        headersTimeoutMs: deps.session.limits.commitTimeoutMs,
        accepts: [201, 204],
      },
      call.signal,
    );
    await discardBody(answer);
    const told = answer.headers['docker-content-digest'];
    if (isDigest(told) && told !== blob.digest) throw mismatch(blob, undefined);
  }

  async #moveTo(answer: HttpAnswer): Promise<void> {
    await discardBody(answer);
    this.#location = this.#own.deps.session.locationOf(answer);
  }

  #request(digest: string): Pick<RegistryRequest, 'path' | 'repository' | 'scopes' | 'auth' | 'subject'> {
    const { repository, call } = this.#own;
    return {
      ...at(originFor(repository), repository.repository, 'pull', 'push'),
      path: this.#location,
      auth: call.auth,
      subject: { kind: 'upload', name: `${repository.registry}/${repository.repository}@${digest}` },
    };
  }

  async #bytes(blob: BlobToUpload, piece: Piece, options: UploadOptions): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of await this.#stream(blob, piece, options)) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  }

  /** Exactly the bytes of a piece, counted. */
  async #stream(blob: BlobToUpload, { from, to }: Piece, { onProgress }: UploadOptions): Promise<Readable> {
    const source = await blob.open(from);
    source.on('error', () => {});
    async function* counted(): AsyncGenerator<Uint8Array> {
      let position = from;
      for await (const chunk of source as AsyncIterable<Uint8Array>) {
        const bytes = chunk.subarray(0, to - position);
        const isMore = bytes.length < chunk.length && to === blob.size;
        position += bytes.length;
        if (isMore) throw wrongSize(blob, position + 1);
        yield bytes;
        onProgress?.(position);
        // The next piece begins there.
        if (position === to && to < blob.size) return;
      }
      if (position < to) throw wrongSize(blob, position);
    }
    const stream = Readable.from(counted(), { objectMode: false });
    stream.on('error', () => {});
    stream.once('close', () => source.destroy());
    return stream;
  }
}

interface Piece {
  readonly from: number;
  readonly to: number;
}

function isDigestRefused(error: unknown): boolean {
  const codes = EngineError.is(error) ? error.details['codes'] : undefined;
  return Array.isArray(codes) && codes.includes('DIGEST_INVALID');
}

function mismatch(blob: BlobToUpload, cause: unknown): Error {
  return engineError('DIGEST_MISMATCH', `the registry got other bytes than blob ${blob.digest} has`, {
    details: { digest: blob.digest },
    ...(cause !== undefined && { cause }),
  });
}

function wrongSize(blob: BlobToUpload, actual: number): Error {
  return engineError(
    'SIZE_MISMATCH',
    `blob ${blob.digest} to upload has ${actual} bytes or more, announced ${blob.size}`,
    {
      details: { digest: blob.digest, expected: blob.size, actual },
    },
  );
}

function lost(blob: BlobToUpload, what: string, cause?: unknown): Error {
  return engineError('REGISTRY_UPLOAD_FAILED', `the registry ${what} of blob ${blob.digest}`, {
    details: { digest: blob.digest },
    ...(cause !== undefined && { cause }),
  });
}
