import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { abortError } from '../../util/signals.js';
import { bareHost } from './addresses.js';
import type { AgentPool, Destination, Route } from './agents.js';
import { badAnswer, type LimitName, timedOut, transportError } from './transport-error.js';
import { proxyAuthorization } from './tunnel.js';

/** Time limits of exchanges, milliseconds. */
export interface HttpLimits {
  readonly connectTimeoutMs: number;
  readonly headersTimeoutMs: number;
  readonly idleTimeoutMs: number;
}

export interface HttpRequest extends Destination {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Bytes, or a stream that is read to its end; it is destroyed when the exchange fails. */
  readonly body?: Uint8Array | Readable | undefined;
  /** Instead of the client's own limit. */
  readonly headersTimeoutMs?: number | undefined;
  readonly signal: AbortSignal;
}

/** An answer whose body is still to be read or destroyed. */
export interface HttpAnswer {
  readonly url: URL;
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: IncomingMessage;
  /** The connection was kept from an earlier exchange. */
  readonly wasReused: boolean;
}

/** One HTTP exchange: no redirects, no authentication, no second try. */
export class HttpClient {
  readonly #agents: AgentPool;
  readonly #limits: HttpLimits;

  constructor(agents: AgentPool, limits: HttpLimits) {
    this.#agents = agents;
    this.#limits = limits;
  }

  /** Resolves with the head of the answer. Throws what transportError tells apart, REGISTRY_TIMEOUT, or the signal's error. */
  async send(request: HttpRequest): Promise<HttpAnswer> {
    try {
      if (request.signal.aborted) throw abortError(request.signal);
      const route = await this.#agents.route(request);
      const http = await import('node:http');
      return await this.#exchange(request, http.request(requestOptions(request, route)));
    } finally {
      if (isStream(request.body) && !request.body.readableEnded) request.body.destroy();
    }
  }

  #exchange(request: HttpRequest, message: ClientRequest): Promise<HttpAnswer> {
    const { signal, url } = request;
    return new Promise((resolve, reject) => {
      const limit = new Limit((name, ms) => fail(timedOut(url, name, ms)));
      let isOver = false;
      const end = () => {
        isOver = true;
        limit.clear();
        signal.removeEventListener('abort', onAbort);
      };
      const fail = (error: Error) => {
        if (isOver) return;
        end();
        message.destroy();
        reject(error);
      };
      const onAbort = () => fail(abortError(signal));
      signal.addEventListener('abort', onAbort, { once: true });
      limit.arm('connectTimeoutMs', this.#limits.connectTimeoutMs);
      // A kept connection that the server closed meanwhile says nothing about the server.
      message.on('error', (error) => fail(transportError(url, error, message.reusedSocket)));
      message.on('upgrade', (_, socket) => {
        socket.destroy();
        fail(badAnswer(url, 'switches protocols'));
      });
      message.on('response', (body) => {
        body.on('error', () => {});
        if (isOver) {
          body.destroy();
          return;
        }
        // An answer before its time: the rest of the request is not sent, so the connection can't be used again.
        if (!message.writableEnded) body.once('close', () => message.destroy());
        end();
        resolve({ url, status: body.statusCode ?? 0, headers: body.headers, body, wasReused: message.reusedSocket });
      });
      message.on('finish', () => {
        if (!isOver) limit.arm('headersTimeoutMs', request.headersTimeoutMs ?? this.#limits.headersTimeoutMs);
      });
      whenConnected(message, () => {
        if (!isOver && !message.writableFinished) limit.arm('idleTimeoutMs', this.#limits.idleTimeoutMs);
        sendBody(message, request.body, { moved: () => limit.refresh(), isOver: () => isOver }).catch(fail);
      });
    });
  }
}

function requestOptions(request: HttpRequest, { agent, via }: Route) {
  const { url, method } = request;
  const to = via ?? url;
  const host = bareHost(to.host);
  return {
    agent,
    method,
    protocol: to.protocol,
    host,
    // Node would otherwise take the Host header for it, which behind a proxy is another's.
    servername: /^[\d.]+$|:/.test(host) ? '' : host,
    port: to.port || (to.protocol === 'https:' ? 443 : 80),
    path: via === undefined ? url.pathname + url.search : `${url.origin}${url.pathname}${url.search}`,
    headers: { Host: url.host, ...request.headers, ...(via && proxyAuthorization(via)) },
    insecureHTTPParser: false,
    maxHeaderSize: 64 * 1024,
  };
}

/** Calls once when the socket is there and through with its handshake. */
function whenConnected(message: ClientRequest, ready: () => void): void {
  message.once('socket', (socket: Socket & { secureConnecting?: boolean }) => {
    if (socket.secureConnecting === true) socket.once('secureConnect', ready);
    else if (socket.connecting) socket.once('connect', ready);
    else ready();
  });
}

interface Sending {
  moved(): void;
  isOver(): boolean;
}

async function sendBody(message: ClientRequest, body: HttpRequest['body'], sending: Sending): Promise<void> {
  if (!isStream(body)) {
    message.end(body);
    return;
  }
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    if (sending.isOver() || message.destroyed) return;
    if (!message.write(chunk)) {
      await new Promise<void>((resolve) => {
        const done = () => {
          message.off('drain', done).off('close', done).off('response', done);
          resolve();
        };
        message.on('drain', done).on('close', done).on('response', done);
      });
    }
    sending.moved();
  }
  if (!sending.isOver()) message.end();
}

function isStream(body: HttpRequest['body']): body is Readable {
  return body !== undefined && !(body instanceof Uint8Array);
}

/** The one timer of an exchange: armed anew for each phase. */
class Limit {
  readonly #expired: (name: LimitName, ms: number) => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(expired: (name: LimitName, ms: number) => void) {
    this.#expired = expired;
  }

  arm(name: LimitName, ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#expired(name, ms), ms);
    this.#timer.unref();
  }

  refresh(): void {
    this.#timer?.refresh();
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
