import type { Agent } from 'node:http';
import type { AgentOptions } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { engineError, quote } from '../../errors/index.js';
import { bareHost } from './addresses.js';
import { timedOut, transportError } from './transport-error.js';

interface TunnelOptions {
  readonly target: URL;
  readonly proxy: URL;
  /** For the target; the proxy's own TLS is verified against the system's authorities. */
  readonly tls: AgentOptions;
  /** Keep-alive and name resolution, for the proxy. */
  readonly common: AgentOptions;
  readonly connectTimeoutMs: number;
}

/** An agent whose connections run through CONNECT of a proxy, with TLS to the target inside. */
export async function tunnelAgent(options: TunnelOptions): Promise<Agent> {
  const { Agent } = await import('node:http');
  class TunnelAgent extends Agent {
    override createConnection(_: unknown, done?: (error: Error | null, stream: Duplex) => void): Duplex {
      openTunnel(options).then(
        (socket) => done?.(null, socket),
        (error: Error) => done?.(error, undefined as unknown as Duplex),
      );
      // Node waits for `done` when nothing is returned.
      return undefined as unknown as Duplex;
    }
  }
  const { lookup, ...kept } = options.common;
  const agent = new TunnelAgent(kept);
  // Node's request insists that agent and URL agree.
  Object.assign(agent, { protocol: 'https:' });
  return agent;
}

async function openTunnel({ target, proxy, tls, common, connectTimeoutMs }: TunnelOptions): Promise<Socket> {
  const { request } = proxy.protocol === 'https:' ? await import('node:https') : await import('node:http');
  const { connect } = await import('node:tls');
  const authority = `${target.hostname}:${target.port || '443'}`;
  let current: { destroy(): void } | undefined;
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(timedOut(target, 'connectTimeoutMs', connectTimeoutMs)), connectTimeoutMs);
    timer.unref();
  });
  const opened = new Promise<Socket>((resolve, reject) => {
    const asking = request({
      host: bareHost(proxy.host),
      port: proxy.port || (proxy.protocol === 'https:' ? 443 : 80),
      method: 'CONNECT',
      path: authority,
      headers: { Host: authority, ...proxyAuthorization(proxy) },
      agent: false,
      rejectUnauthorized: true,
      ...(common.lookup && { lookup: common.lookup }),
    });
    current = asking;
    asking.on('error', (error) => reject(transportError(new URL(proxy.origin), error)));
    asking.on('response', (response) => {
      response.destroy();
      reject(proxyRefused(proxy, target, response.statusCode ?? 0));
    });
    asking.on('connect', (response, socket, head) => {
      current = socket;
      socket.on('error', () => {});
      if (response.statusCode !== 200 || head.length > 0) {
        reject(proxyRefused(proxy, target, response.statusCode ?? 0));
        return;
      }
      const host = bareHost(target.host);
      const secure = connect({ ...tls, socket, host, servername: /^[\d.]+$|:/.test(host) ? '' : host });
      current = secure;
      secure.on('error', (error) => reject(transportError(target, error)));
      secure.on('secureConnect', () => resolve(secure));
      secure.on('close', () => reject(transportError(target, { code: 'ECONNRESET' })));
    });
    asking.end();
  });
  try {
    return await Promise.race([opened, expired]);
  } catch (error) {
    current?.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
    opened.catch(() => {});
    expired.catch(() => {});
  }
}

/** The user and password of a proxy's URL as its header. */
export function proxyAuthorization(proxy: URL): Record<string, string> {
  if (proxy.username === '' && proxy.password === '') return {};
  const text = `${decode(proxy.username)}:${decode(proxy.password)}`;
  return { 'Proxy-Authorization': `Basic ${Buffer.from(text).toString('base64')}` };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function proxyRefused(proxy: URL, target: URL, status: number): Error {
  return engineError(
    'REGISTRY_PROXY_FAILED',
    `proxy ${quote(proxy.host)} answered ${status} when asked for ${quote(target.host)}`,
    { details: { proxy: proxy.host, registry: target.host, status } },
  );
}
