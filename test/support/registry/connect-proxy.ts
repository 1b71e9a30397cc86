import { once } from 'node:events';
import { createServer, request as sendRequest } from 'node:http';
import { type AddressInfo, connect } from 'node:net';

/** A forward proxy of the tests: CONNECT, and plain requests with a whole URL. */
export interface ConnectProxy {
  readonly host: string;
  /** `CONNECT host:port` or `GET http://…`, with the Proxy-Authorization that came. */
  readonly calls: { readonly line: string; readonly authorization: string | undefined }[];
  /** CONNECT is answered with this status instead. */
  refuseWith: number | undefined;
}

/** Names that end in `.example` are taken for this machine. */
export async function startConnectProxy(t: { after(work: () => void): void }): Promise<ConnectProxy> {
  const local = (host: string) => (host.endsWith('.example') ? '127.0.0.1' : host);
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '');
    state.calls.push({ line: `${request.method} ${url.href}`, authorization: request.headers['proxy-authorization'] });
    const { 'proxy-authorization': _, ...headers } = request.headers;
    const onward = sendRequest({
      host: local(url.hostname),
      port: url.port,
      path: url.pathname + url.search,
      method: request.method,
      headers,
    });
    onward.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  });
  server.on('connect', (request, socket) => {
    state.calls.push({ line: `CONNECT ${request.url}`, authorization: request.headers['proxy-authorization'] });
    socket.on('error', () => {});
    if (state.refuseWith !== undefined) {
      socket.end(`HTTP/1.1 ${state.refuseWith} No\r\n\r\n`);
      return;
    }
    const { hostname, port } = new URL(`http://${request.url}`);
    const onward = connect(Number(port || 443), local(hostname), () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      onward.pipe(socket);
      socket.pipe(onward);
    });
    onward.on('error', () => socket.destroy());
    socket.on('close', () => onward.destroy());
    sockets.add(socket);
  });
  const sockets = new Set<{ destroy(): void }>();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.closeAllConnections();
    server.close();
  });
  const state: ConnectProxy = {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls: [],
    refuseWith: undefined,
  };
  return state;
}
