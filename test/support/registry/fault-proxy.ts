import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse, request as sendRequest } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** What goes wrong with one answer (or request). */
export type Fault =
  /** The connection is reset before an answer. */
  | { readonly kind: 'reset' }
  /** Never answers. */
  | { readonly kind: 'hang' }
  /** The connection is reset after so many bytes of the answer's body. */
  | { readonly kind: 'cut'; readonly afterBytes: number }
  /** The answer's body stops after so many bytes; the connection stays. */
  | { readonly kind: 'stall'; readonly afterBytes: number }
  /** The request's body reaches the registry up to here, then both connections are reset. */
  | { readonly kind: 'cut-request'; readonly afterBytes: number }
  /** The registry does what was asked, but its answer does not come through: the connection is reset instead. */
  | { readonly kind: 'lose-answer' }
  /** The answer comes, but so late. */
  | { readonly kind: 'delay'; readonly ms: number }
  | { readonly kind: 'throttle'; readonly bytesPerSecond: number }
  /** This byte of the answer's body is another one. */
  | { readonly kind: 'wrong-byte'; readonly at: number }
  /** Another body, with its right length. */
  | { readonly kind: 'body'; readonly body: string | Uint8Array }
  /** Not the registry's answer at all. */
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string | readonly string[]>>;
      readonly body?: string | Uint8Array;
    }
  | { readonly kind: 'redirect'; readonly location: string; readonly status?: number }
  /** The registry never sees the Range header. */
  | { readonly kind: 'ignore-range' }
  /** Headers of the answer are replaced; `undefined` takes one away. */
  | { readonly kind: 'headers'; readonly headers: Readonly<Record<string, string | undefined>> };

export interface FaultRule {
  readonly method?: string;
  /** Matched against the path with its query. */
  readonly path?: RegExp;
  /** How often it acts. @defaultValue always */
  readonly times?: number;
  /** So many matching requests pass first. @defaultValue 0 */
  readonly after?: number;
  readonly fault: Fault;
}

/** One request as it came. */
export interface ProxiedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Port of the other end: one for all requests of a connection. */
  readonly remotePort: number;
  /** Bytes of its body that came so far. */
  bodyBytes: number;
  /** Status that was answered; 0 before that. */
  status: number;
  /** Bytes of the answer's body that were passed on. */
  sentBytes: number;
}

/** Stands before a registry and does harm when told to. */
export interface FaultProxy {
  readonly host: string;
  readonly port: number;
  readonly url: string;
  readonly requests: ProxiedRequest[];
  /** Adds a rule; the first that matches acts. Gives a function that takes it away. */
  add(rule: FaultRule): () => void;
  /** Forgets rules and requests. */
  clear(): void;
  close(): Promise<void>;
}

export interface FaultProxyOptions {
  /** `http://127.0.0.1:port` of the registry; without it every request that no rule answers gets 404. */
  readonly upstream?: string;
  readonly tls?: { readonly cert: string; readonly key: string };
  /** @defaultValue any that is free */
  readonly port?: number;
  /** Address to listen on. @defaultValue 127.0.0.1 */
  readonly address?: string;
}

/** Starts a fault proxy in this process; it ends with the test. */
export async function startFaultProxy(
  t: { after(work: () => void | Promise<void>): void },
  options: FaultProxyOptions,
): Promise<FaultProxy> {
  const rules: { rule: FaultRule; left: number; passes: number }[] = [];
  const requests: ProxiedRequest[] = [];
  const { tls } = options;
  const server =
    tls === undefined ? createServer() : createTlsServer({ cert: readFileSync(tls.cert), key: readFileSync(tls.key) });
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const seen: ProxiedRequest = {
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers,
      remotePort: request.socket.remotePort ?? 0,
      bodyBytes: 0,
      status: 0,
      sentBytes: 0,
    };
    requests.push(seen);
    request.on('data', (chunk: Buffer) => {
      seen.bodyBytes += chunk.length;
    });
    request.pause();
    const fault = chooseFault(seen, rules);
    for (const stream of [request, response]) stream.on('error', () => {});
    const { socket } = request;
    void serve({ request, response, socket, seen, fault, upstream: options.upstream, isTls: tls !== undefined }).catch(
      () => socket.destroy(),
    );
  });
  server.listen(options.port ?? 0, options.address ?? '127.0.0.1');
  await once(server, 'listening');
  const port = (server.address() as AddressInfo).port;
  const close = async () => {
    server.closeAllConnections();
    server.close();
  };
  t.after(close);
  return {
    host: `127.0.0.1:${port}`,
    port,
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    requests,
    add: (rule) => {
      const entry = { rule, left: rule.times ?? Number.POSITIVE_INFINITY, passes: rule.after ?? 0 };
      rules.push(entry);
      return () => {
        const at = rules.indexOf(entry);
        if (at >= 0) rules.splice(at, 1);
      };
    },
    clear: () => {
      rules.length = 0;
      requests.length = 0;
    },
    close,
  };
}

function chooseFault(
  seen: ProxiedRequest,
  rules: { rule: FaultRule; left: number; passes: number }[],
): Fault | undefined {
  for (const entry of rules) {
    const { method, path, fault } = entry.rule;
    if (method !== undefined && method !== seen.method) continue;
    if (path !== undefined && !path.test(seen.path)) continue;
    if (entry.passes > 0) {
      entry.passes--;
      continue;
    }
    if (entry.left <= 0) continue;
    entry.left--;
    return fault;
  }
  return undefined;
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Kept here: a request that is broken off forgets it. */
  readonly socket: Socket;
  readonly seen: ProxiedRequest;
  readonly fault: Fault | undefined;
  readonly upstream: string | undefined;
  readonly isTls: boolean;
}

async function serve(exchange: Exchange): Promise<void> {
  const { request, response, seen, fault, socket } = exchange;
  if (fault?.kind === 'reset') {
    socket.destroy();
    return;
  }
  if (fault?.kind === 'hang') return;
  if (fault?.kind === 'status' || fault?.kind === 'redirect' || exchange.upstream === undefined) {
    request.resume();
    if (!request.complete) await once(request, 'end');
    const own =
      fault?.kind === 'status'
        ? fault
        : fault?.kind === 'redirect'
          ? { status: fault.status ?? 307, headers: { Location: fault.location }, body: '' }
          : { status: 404, headers: {}, body: '' };
    seen.status = own.status;
    response.writeHead(own.status, { ...(own.headers as Record<string, string>) });
    response.end(own.body ?? '');
    return;
  }
  if (fault?.kind === 'delay') await sleep(fault.ms);
  await forward(exchange, new URL(exchange.upstream));
}

async function forward({ request, response, socket, seen, fault, isTls }: Exchange, upstream: URL): Promise<void> {
  const headers = { ...request.headers };
  if (isTls) headers['x-forwarded-proto'] = 'https';
  if (fault?.kind === 'ignore-range') delete headers['range'];
  const onward = sendRequest({
    host: upstream.hostname,
    port: upstream.port,
    method: request.method,
    path: request.url,
    headers,
    agent: false,
  });
  onward.on('error', () => socket.destroy());
  response.on('close', () => onward.destroy());
  if (fault?.kind === 'cut-request') {
    let left = fault.afterBytes;
    for await (const chunk of request as AsyncIterable<Buffer>) {
      const part = chunk.subarray(0, left);
      left -= part.length;
      if (!onward.write(part)) await once(onward, 'drain');
      if (left <= 0) break;
    }
    // The registry gets the time to store what came.
    await sleep(100);
    onward.destroy();
    socket.destroy();
    return;
  }
  request.pipe(onward);
  const [answer] = (await once(onward, 'response')) as [IncomingMessage];
  if (fault?.kind === 'lose-answer') {
    answer.destroy();
    socket.destroy();
    return;
  }
  const given: Record<string, string | string[] | undefined> = { ...answer.headers };
  if (fault?.kind === 'headers') {
    for (const [name, value] of Object.entries(fault.headers)) {
      if (value === undefined) delete given[name.toLowerCase()];
      else given[name.toLowerCase()] = value;
    }
  }
  if (fault?.kind === 'body') given['content-length'] = String(Buffer.byteLength(fault.body));
  seen.status = answer.statusCode ?? 0;
  response.writeHead(seen.status, given as Record<string, string>);
  if (fault?.kind === 'body') {
    answer.resume();
    response.end(fault.body);
    return;
  }
  if (fault?.kind === 'stall' || fault?.kind === 'cut') response.flushHeaders();
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    const bytes = damaged(chunk, seen.sentBytes, fault);
    seen.sentBytes += bytes.length;
    if (!response.write(bytes)) await drained(response);
    if (fault?.kind === 'throttle') {
      await sleep((bytes.length * 1000) / fault.bytesPerSecond);
    }
    if ((fault?.kind === 'cut' || fault?.kind === 'stall') && seen.sentBytes >= fault.afterBytes) {
      if (fault.kind === 'stall') return;
      // What was written must leave before the reset.
      await sleep(20);
      socket.destroy();
      return;
    }
  }
  response.end();
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
    if (response.destroyed) done();
  });
}

function damaged(chunk: Buffer, at: number, fault: Fault | undefined): Buffer {
  if (fault?.kind === 'cut' || fault?.kind === 'stall') return chunk.subarray(0, fault.afterBytes - at);
  if (fault?.kind !== 'wrong-byte' || fault.at < at || fault.at >= at + chunk.length) return chunk;
  const copy = Buffer.from(chunk);
  copy[fault.at - at] = (copy[fault.at - at] as number) ^ 0xff;
  return copy;
}
