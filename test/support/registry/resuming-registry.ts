import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A registry of the tests that takes uploads by the letter of the OCI specification, and keeps what came of a broken one. */
export interface ResumingRegistry {
  readonly host: string;
  readonly url: string;
  readonly blobs: ReadonlyMap<string, Buffer>;
  /** Method and Content-Range of each request of an upload. */
  readonly calls: string[];
}

/** docker-registry 2.8 forgets an upload whose connection broke; this one does not. */
export async function startResumingRegistry(
  t: { after(work: () => void): void },
  options: { readonly minChunkBytes?: number } = {},
): Promise<ResumingRegistry> {
  const blobs = new Map<string, Buffer>();
  const uploads = new Map<string, Buffer>();
  const calls: string[] = [];
  let next = 0;
  const server = createServer((request, response) => {
    void serve(request, response).catch(() => response.destroy());
  });
  const place = (id: string) => ({ Location: `/v2/a/blobs/uploads/${id}?state=a%2Fb`, 'Docker-Upload-UUID': id });
  const rangeOf = (bytes: Buffer) => ({ Range: `0-${Math.max(0, bytes.length - 1)}` });

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://registry');
    const { method } = request;
    const digest = /\/blobs\/(sha256:[a-f0-9]{64})$/.exec(url.pathname)?.[1];
    const id = /\/blobs\/uploads\/(\d+)$/.exec(url.pathname)?.[1];
    const upload = uploads.get(id ?? '');
    if (url.pathname === '/v2/') response.writeHead(200).end('{}');
    else if (digest !== undefined) {
      const found = blobs.get(digest);
      response
        .writeHead(found ? 200 : 404, { 'Content-Length': found?.length ?? 0 })
        .end(method === 'GET' ? found : undefined);
    } else if (method === 'POST') {
      next++;
      uploads.set(String(next), Buffer.alloc(0));
      const min = options.minChunkBytes === undefined ? {} : { 'OCI-Chunk-Min-Length': String(options.minChunkBytes) };
      response.writeHead(202, { ...place(String(next)), ...min, Range: '0-0' }).end();
    } else if (upload === undefined || id === undefined) response.writeHead(404).end();
    else {
      calls.push(`${method} ${request.headers['content-range'] ?? ''}`.trim());
      if (url.searchParams.get('state') !== 'a/b') response.writeHead(400).end();
      else if (method === 'GET') response.writeHead(204, { ...place(id), ...rangeOf(upload) }).end();
      else await receive(request, response, { id, url });
    }
  }

  async function receive(
    request: IncomingMessage,
    response: ServerResponse,
    { id, url }: { id: string; url: URL },
  ): Promise<void> {
    const start = Number(/^(\d+)-/.exec(request.headers['content-range'] ?? '')?.[1] ?? 0);
    if (request.method === 'PATCH' && start !== uploads.get(id)?.length) {
      response.writeHead(416, { ...place(id), ...rangeOf(uploads.get(id) as Buffer) }).end();
      return;
    }
    request.on('data', (chunk: Buffer) => uploads.set(id, Buffer.concat([uploads.get(id) as Buffer, chunk])));
    await once(request, 'end');
    const bytes = uploads.get(id) as Buffer;
    if (request.method === 'PATCH') {
      response.writeHead(202, { ...place(id), ...rangeOf(bytes) }).end();
      return;
    }
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    if (url.searchParams.get('digest') !== digest) {
      response.writeHead(400, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify({ errors: [{ code: 'DIGEST_INVALID', message: 'other bytes' }] }));
      return;
    }
    uploads.delete(id);
    blobs.set(digest, bytes);
    response.writeHead(201, { Location: `/v2/a/blobs/${digest}`, 'Docker-Content-Digest': digest }).end();
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { host, url: `http://${host}`, blobs, calls };
}
