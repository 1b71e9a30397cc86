import { isIP } from 'node:net';
import { engineError } from '../../errors/index.js';
import { bareHost, blockList, isAddressRange, isListed, isLoopbackHost } from './addresses.js';

/** Proxies, as the environment variables of the same names say them. @public */
export interface ProxyOptions {
  /** For http registries: `http://[user:password@]host:port`. */
  readonly httpProxy?: string;
  /** For https registries, by CONNECT. */
  readonly httpsProxy?: string;
  /** Comma-separated: `*`, names with what is below them, `.name` for what is below only, addresses, ranges; each with optional port. */
  readonly noProxy?: string;
}

type Env = Readonly<Record<string, string | undefined>>;

/** The proxies of an environment; upper-case names win, as in Go. */
export function proxyFromEnv(env: Env): ProxyOptions {
  const read = (name: string) => env[name] || env[name.toLowerCase()] || undefined;
  // A web server that runs scripts puts a header of the client there.
  const httpProxy = env['REQUEST_METHOD'] ? undefined : read('HTTP_PROXY');
  const httpsProxy = read('HTTPS_PROXY');
  const noProxy = read('NO_PROXY');
  return { ...(httpProxy && { httpProxy }), ...(httpsProxy && { httpsProxy }), ...(noProxy && { noProxy }) };
}

/**
 * The proxy that a URL goes through by Go's rules (those of Docker): never for this machine's loopback. Throws BAD_OPTION
 * for a proxy that is no http or https URL; the value is not in the message, it may hold a password.
 */
export function proxyFor(url: URL, options: ProxyOptions): URL | undefined {
  const isTls = url.protocol === 'https:';
  const value = isTls ? options.httpsProxy : options.httpProxy;
  if (!value || isLoopbackHost(url.host) || isExempt(url, options.noProxy ?? '')) return undefined;
  const text = /^[a-z0-9+.-]+:\/\//i.test(value) ? value : `http://${value}`;
  const proxy = URL.canParse(text) ? new URL(text) : undefined;
  if (proxy === undefined || (proxy.protocol !== 'http:' && proxy.protocol !== 'https:') || proxy.hostname === '') {
    const field = isTls ? 'httpsProxy' : 'httpProxy';
    throw engineError('BAD_OPTION', `field ${field} (or its environment variable) is not an http or https URL`, {
      details: { field },
    });
  }
  return proxy;
}

function isExempt(url: URL, noProxy: string): boolean {
  const host = bareHost(url.host);
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  return noProxy.split(',').some((entry) => matches(entry.trim().toLowerCase(), host, port));
}

function matches(entry: string, host: string, port: string): boolean {
  if (entry === '') return false;
  if (entry === '*') return true;
  if (isAddressRange(entry)) return isListed(blockList([entry]), host);
  const bracketed = /^\[([^\]]+)\](?::(\d+))?$/.exec(entry);
  const plain = isIP(entry) === 6 ? undefined : /^([^:]+)(?::(\d+))?$/.exec(entry);
  const [, name = entry, onlyPort] = bracketed ?? plain ?? [];
  if (onlyPort !== undefined && onlyPort !== port) return false;
  if (isIP(name) !== 0) return name === host;
  const domain = name.replace(/^\*?\./, '');
  return host.endsWith(`.${domain}`) || (name === domain && host === domain);
}
