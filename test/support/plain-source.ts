import { request } from 'node:http';
import { EngineError } from '#src/errors/index.js';
import type { BlobSource, RemoteReference, RemoteRepository } from '#src/images/index.js';

/** Requests that a `plainSource` made. */
export interface PlainRequest {
  readonly method: string;
  readonly path: string;
  readonly offset: number;
  /** Bytes of its answer so far. */
  bytes: number;
}

/**
 * Reads a registry without authentication at `url` (`http://127.0.0.1:port`), whatever host a name has: the least that
 * pulling needs. It tries nothing twice.
 */
export function plainSource(url: string): BlobSource & { readonly requests: PlainRequest[] } {
  const requests: PlainRequest[] = [];
  async function send(method: string, path: string, headers: Record<string, string>, signal?: AbortSignal, offset = 0) {
    const told: PlainRequest = { method, path, offset, bytes: 0 };
    requests.push(told);
    const response = await new Promise<import('node:http').IncomingMessage>((resolve, reject) => {
      const sent = request(`${url}${path}`, {
        method,
        headers,
        agent: false,
        ...(signal === undefined ? {} : { signal }),
      });
      sent.on('response', resolve);
      sent.on('error', (error) => reject(unavailable(error)));
      sent.end();
    });
    async function* body(): AsyncGenerator<Uint8Array> {
      try {
        for await (const chunk of response) {
          told.bytes += chunk.length;
          yield chunk;
        }
      } catch (error) {
        throw unavailable(error);
      }
    }
    return { status: response.statusCode ?? 0, headers: response.headers, body: body() };
  }
  const manifestPath = ({ repository, tag, digest }: RemoteReference) => `/v2/${repository}/manifests/${digest ?? tag}`;
  const refused = (status: number, path: string) =>
    new EngineError(
      status === 404 ? 'NOT_FOUND' : 'UNAVAILABLE',
      'REGISTRY_ANSWER',
      `${path} was answered with ${status}`,
    );
  return {
    requests,
    async manifest(reference, { accept = [], signal }) {
      const path = manifestPath(reference);
      const answer = await send('GET', path, { accept: accept.join(', ') }, signal);
      if (answer.status !== 200) throw refused(answer.status, path);
      const chunks: Uint8Array[] = [];
      for await (const chunk of answer.body) chunks.push(chunk);
      const bytes = Buffer.concat(chunks);
      const digest = String(answer.headers['docker-content-digest'] ?? '');
      return { digest, mediaType: String(answer.headers['content-type']), bytes };
    },
    async headManifest(reference, { accept = [], signal }) {
      const answer = await send('HEAD', manifestPath(reference), { accept: accept.join(', ') }, signal);
      for await (const _ of answer.body);
      const digest = answer.headers['docker-content-digest'];
      if (answer.status !== 200 || typeof digest !== 'string') return undefined;
      return { digest, mediaType: String(answer.headers['content-type']) };
    },
    async blob(repository: RemoteRepository, digest, { offset = 0, signal }) {
      const path = `/v2/${repository.repository}/blobs/${digest}`;
      const headers: Record<string, string> = offset > 0 ? { range: `bytes=${offset}-` } : {};
      const answer = await send('GET', path, headers, signal, offset);
      if (answer.status !== (offset > 0 ? 206 : 200)) throw refused(answer.status, path);
      return answer.body;
    },
  };
}

function unavailable(cause: unknown): Error {
  if (EngineError.is(cause) || (cause as Error)?.name === 'AbortError') return cause as Error;
  return new EngineError('UNAVAILABLE', 'REGISTRY_LOST', `the registry can't be reached: ${String(cause)}`, { cause });
}
