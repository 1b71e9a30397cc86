import type { LookupAddress } from 'node:dns';
import type { Agent } from 'node:http';
import type { AgentOptions } from 'node:https';
import { isIP } from 'node:net';
import { engineError, quote } from '../../errors/index.js';
import { isRegistryHost } from '../names.js';
import { type AllowAddress, bareHost, type ConnectionPurpose, mayConnect } from './addresses.js';
import type { InsecureRegistries } from './insecure-registries.js';
import { type ProxyOptions, proxyFor } from './proxy.js';
import { type RegistryTls, readCertsDirs } from './tls-material.js';
import { tunnelAgent } from './tunnel.js';

/** Resolves a host name to its addresses. @public */
export type ResolveHost = (host: string) => Promise<readonly LookupAddress[]>;

export interface AgentSettings {
  readonly insecure: InsecureRegistries;
  readonly certsDirs: readonly string[];
  readonly tls: ReadonlyMap<string, RegistryTls>;
  readonly proxy: ProxyOptions;
  readonly allowAddress: AllowAddress | undefined;
  readonly resolveHost: ResolveHost | undefined;
  readonly connectTimeoutMs: number;
}

/** Where a request goes and why. */
export interface Destination {
  readonly url: URL;
  readonly purpose: ConnectionPurpose;
  /** Host that the user named. */
  readonly registry: string;
}

/** An agent with what a request through it must say. */
export interface Route {
  readonly agent: Agent;
  /** The proxy that gets the request itself, with the whole URL in it. */
  readonly via: URL | undefined;
}

/** The connections of one client: kept for the next request, per origin, and gone with it. */
export class AgentPool {
  readonly #settings: AgentSettings;
  readonly #agents = new Map<string, Agent>();
  #isClosed = false;

  constructor(settings: AgentSettings) {
    this.#settings = settings;
  }

  /** Throws BAD_REGISTRY_CERTIFICATES, REGISTRY_ADDRESS_REFUSED, BAD_OPTION. */
  async route(destination: Destination): Promise<Route> {
    const { url } = destination;
    const proxy = proxyFor(url, this.#settings.proxy);
    const isTls = url.protocol === 'https:';
    const to: Destination =
      proxy === undefined ? destination : { url: proxy, purpose: 'proxy', registry: destination.registry };
    for (const asked of [destination, to]) this.#checkLiteral(asked);
    const key = [proxy?.href ?? '', proxy !== undefined && !isTls ? '' : url.origin, to.purpose, to.registry].join(' ');
    let agent = this.#agents.get(key);
    if (agent === undefined) {
      agent = await this.#newAgent(destination, to, proxy);
      const raced = this.#agents.get(key);
      if (raced !== undefined) agent = raced;
      else this.#agents.set(key, agent);
    }
    if (this.#isClosed) agent.destroy();
    return { agent, via: isTls ? undefined : proxy };
  }

  close(): void {
    this.#isClosed = true;
    for (const agent of this.#agents.values()) agent.destroy();
    this.#agents.clear();
  }

  async #newAgent(destination: Destination, to: Destination, proxy: URL | undefined): Promise<Agent> {
    const common: AgentOptions = {
      keepAlive: true,
      maxFreeSockets: 16,
      scheduling: 'lifo',
      lookup: this.#lookup(to) as NonNullable<AgentOptions['lookup']>,
    };
    if (destination.url.protocol === 'https:') {
      const tls = await this.#tlsOptions(destination.url);
      if (proxy !== undefined) {
        const { connectTimeoutMs } = this.#settings;
        return tunnelAgent({ target: destination.url, proxy, tls, common, connectTimeoutMs });
      }
      const { Agent } = await import('node:https');
      return new Agent({ ...common, ...tls });
    }
    if (proxy?.protocol === 'https:') {
      const { Agent } = await import('node:https');
      return new Agent({ ...common, rejectUnauthorized: true });
    }
    const { Agent } = await import('node:http');
    return new Agent(common);
  }

  async #tlsOptions(url: URL): Promise<AgentOptions> {
    const { certsDirs, tls, insecure } = this.#settings;
    // What a redirect names need not be a name at all.
    const isName = isRegistryHost(url.host);
    // A directory or an option for the standard port may be named with it and without.
    const names = url.port === '' ? [url.host, `${url.host}:443`] : [url.host];
    const found = isName ? names.map((name) => readCertsDirs(certsDirs, name)) : [];
    const own = names.flatMap((name) => tls.get(name) ?? []);
    const ca = [...found.flatMap((material) => material.ca), ...own.flatMap((material) => material.ca ?? [])];
    const identities = [
      ...found.flatMap((material) => material.identities),
      ...own.flatMap(({ cert, key }) => (cert === undefined || key === undefined ? [] : [{ cert, key }])),
    ];
    const bytes = (pem: string | Uint8Array) => (typeof pem === 'string' ? pem : Buffer.from(pem));
    return {
      // Said always: NODE_TLS_REJECT_UNAUTHORIZED of the host's environment must not switch it off.
      rejectUnauthorized: insecure.of(url.host) !== 'insecure',
      minVersion: 'TLSv1.2',
      ...(ca.length > 0 && { ca: [...(await systemAuthorities()), ...(ca as (string | Uint8Array)[]).map(bytes)] }),
      ...(identities.length > 0 && {
        cert: identities.map(({ cert }) => bytes(cert)),
        key: identities.map(({ key }) => bytes(key)),
      }),
    };
  }

  #checkLiteral(destination: Destination): void {
    const address = bareHost(destination.url.host);
    if (isIP(address) !== 0 && !this.#may(destination, address)) throw refused(destination, address);
  }

  #may({ url, purpose, registry }: Destination, address: string): boolean {
    return mayConnect({ address, host: url.host, purpose, registry }, this.#settings.allowAddress);
  }

  /** The connection goes to exactly the addresses that were checked: no second look-up can give others. */
  #lookup(destination: Destination) {
    const resolveHost = this.#settings.resolveHost ?? systemResolve;
    type Done = (error: Error | null, address?: unknown, family?: number) => void;
    return (host: string, options: { all?: boolean }, done: Done) => {
      const resolved = resolveHost(host).then((addresses) => {
        const allowed = addresses.filter(({ address }) => isIP(address) !== 0 && this.#may(destination, address));
        if (allowed.length === 0 && addresses.length > 0) throw refused(destination, addresses[0]?.address ?? '');
        if (allowed.length === 0) throw Object.assign(new TypeError('no address'), { code: 'ENOTFOUND' });
        return allowed;
      });
      resolved.then(
        (allowed) => (options.all ? done(null, allowed) : done(null, allowed[0]?.address, allowed[0]?.family)),
        (error: Error) => done(error),
      );
    };
  }
}

async function systemResolve(host: string): Promise<readonly LookupAddress[]> {
  const { lookup } = await import('node:dns/promises');
  return lookup(host, { all: true });
}

async function systemAuthorities(): Promise<readonly string[]> {
  const tls = (await import('node:tls')) as typeof import('node:tls') & {
    getCACertificates?: (kind: 'default') => string[];
  };
  // Newer Node only: with it, what NODE_EXTRA_CA_CERTS names stays in force.
  return tls.getCACertificates?.('default') ?? tls.rootCertificates;
}

function refused({ url, purpose, registry }: Destination, address: string): Error {
  return engineError('REGISTRY_ADDRESS_REFUSED', `${quote(url.host)} leads to ${address} (${purpose})`, {
    details: { host: url.host, address, purpose, registry },
  });
}
