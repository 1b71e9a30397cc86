import { engineError, quote } from '../errors/index.js';
import { assertKnownOptions, type KnownOptions } from '../util/known-options.js';
import type { CredentialOptions } from './auth/credential-store.js';
import type { AllowAddress } from './http/addresses.js';
import type { ResolveHost } from './http/agents.js';
import { type ProxyOptions, proxyFromEnv } from './http/proxy.js';
import type { RegistryTls } from './http/tls-material.js';
import { type RegistryLimits, resolveLimits } from './limits.js';
import { isDigest, isRegistryHost } from './names.js';
import type { MirrorOptions } from './session/endpoints.js';

/** Settings of a registry client. All of them have defaults that are right for a host with a Docker set-up. @public */
export interface RegistryClientOptions {
  /** Where credentials come from. By default from what `docker login` left. */
  readonly credentials?: CredentialOptions;
  /** Mirrors by registry. */
  readonly mirrors?: MirrorOptions;
  /** Registries that may speak plain http or have certificates that nobody verifies: `host`, `host:port`, or ranges of addresses. */
  readonly insecureRegistries?: readonly string[];
  /**
   * Take plain http from registries on this machine's loopback, as Docker does. Unlike in Docker, the certificate of one
   * that speaks TLS is verified. @defaultValue true
   */
  readonly insecureLoopback?: boolean;
  /** Directories with a subdirectory per host. @defaultValue /etc/docker/certs.d and /etc/containers/certs.d */
  readonly certsDirs?: readonly string[];
  /** TLS material by `host[:port]`, beside that of `certsDirs`. */
  readonly tls?: Readonly<Record<string, RegistryTls>>;
  /** Proxies; false: none. @defaultValue HTTP_PROXY, HTTPS_PROXY and NO_PROXY of `env` */
  readonly proxy?: ProxyOptions | false;
  /** Hosts (`host[:port]`) of token servers that may get the credentials of registries that name them. */
  readonly tokenServers?: readonly string[];
  /** Decides to which addresses connections may go, before the rules of caisson do. */
  readonly allowAddress?: AllowAddress;
  /** Resolves host names. @defaultValue the system's resolver */
  readonly resolveHost?: ResolveHost;
  /** Where proxies, credential files and helpers are read from. @defaultValue process.env */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly limits?: Partial<RegistryLimits>;
}

const KNOWN: KnownOptions<RegistryClientOptions> = {
  credentials: true,
  mirrors: true,
  insecureRegistries: true,
  insecureLoopback: true,
  certsDirs: true,
  tls: true,
  proxy: true,
  tokenServers: true,
  allowAddress: true,
  resolveHost: true,
  env: true,
  limits: true,
};

const CREDENTIALS: KnownOptions<CredentialOptions> = {
  registries: true,
  find: true,
  readLogins: true,
  helperTimeoutMs: true,
};

const DEFAULT_CERTS_DIRS = ['/etc/docker/certs.d', '/etc/containers/certs.d'];

export interface ResolvedClientOptions {
  readonly credentials: CredentialOptions;
  readonly mirrors: MirrorOptions;
  readonly insecureRegistries: readonly string[];
  readonly insecureLoopback: boolean;
  readonly certsDirs: readonly string[];
  readonly tls: ReadonlyMap<string, RegistryTls>;
  readonly proxy: ProxyOptions;
  readonly tokenServers: ReadonlySet<string>;
  readonly allowAddress: AllowAddress | undefined;
  readonly resolveHost: ResolveHost | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly limits: RegistryLimits;
}

/** Checks and completes. Throws BAD_OPTION, UNKNOWN_OPTION; what may be a secret is not in a message. */
export function resolveClientOptions(options: RegistryClientOptions): ResolvedClientOptions {
  assertKnownOptions(options, KNOWN);
  const { credentials = {}, tokenServers = [], tls = {}, env = process.env, proxy } = options;
  assertKnownOptions(credentials, CREDENTIALS);
  for (const host of [...tokenServers, ...Object.keys(tls)]) {
    if (!isRegistryHost(host)) throw bad(tokenServers.includes(host) ? 'tokenServers' : 'tls', host);
  }
  for (const [host, { cert, key }] of Object.entries(tls)) {
    if ((cert === undefined) !== (key === undefined)) throw bad('tls', host);
  }
  return {
    credentials,
    mirrors: options.mirrors ?? {},
    insecureRegistries: options.insecureRegistries ?? [],
    insecureLoopback: options.insecureLoopback ?? true,
    certsDirs: options.certsDirs ?? DEFAULT_CERTS_DIRS,
    tls: new Map(Object.entries(tls)),
    proxy: proxy === false ? {} : (proxy ?? proxyFromEnv(env)),
    tokenServers: new Set(tokenServers),
    allowAddress: options.allowAddress,
    resolveHost: options.resolveHost,
    env,
    limits: resolveLimits(options.limits),
  };
}

/** Throws BAD_DIGEST unless it is a digest or nothing. */
export function checkOptionalDigest(field: string, value: unknown): void {
  if (value === undefined || isDigest(value)) return;
  throw engineError('BAD_DIGEST', `field ${field} ${quote(value)} is not a sha256 digest`, {
    details: { field, value: quote(value) },
  });
}

function bad(field: string, host: string): Error {
  return engineError('BAD_OPTION', `field ${field}: ${quote(host)} is malformed or incomplete`, {
    details: { field, value: quote(host) },
  });
}
