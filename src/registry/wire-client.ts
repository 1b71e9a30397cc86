import { Authorizer } from './auth/authorizer.js';
import { CredentialStore } from './auth/credential-store.js';
import { isHub } from './auth/docker-config.js';
import { AgentPool } from './http/agents.js';
import { type HttpAnswer, HttpClient, type HttpRequest } from './http/http-client.js';
import { InsecureRegistries } from './http/insecure-registries.js';
import { discardBody } from './http/read-body.js';
import { isPassing } from './http/transport-error.js';
import type { RegistryLimits } from './limits.js';
import type { OperationDeps } from './operations/deps.js';
import type { ResolvedClientOptions } from './options.js';
import { parseRetryAfter } from './protocol/ranges.js';
import { Secrets } from './secrets.js';
import { type Endpoint, originOf, parseMirrors } from './session/endpoints.js';
import { backoffMs, isAbsent, isPassingStatus, pause } from './session/retry.js';
import { SchemeProbe } from './session/scheme-probe.js';
import { RegistrySession } from './session/session.js';

/** The parts of one client. */
export interface ClientParts {
  readonly operations: OperationDeps;
  readonly agents: AgentPool;
  /** Scheme and host under which a registry answers. */
  originUrl(registry: string, signal: AbortSignal): Promise<URL>;
}

/** Joins the parts of a client; `signal` ends what is done for several callers at once. */
export function wireClient(options: ResolvedClientOptions, signal: AbortSignal): ClientParts {
  const { limits, env } = options;
  const secrets = new Secrets();
  const insecure = new InsecureRegistries(options.insecureRegistries, options.insecureLoopback);
  const mirrors = parseMirrors(options.mirrors);
  const agents = new AgentPool({ ...options, insecure, connectTimeoutMs: limits.connectTimeoutMs });
  const http = new HttpClient(agents, limits);
  const authorizer = new Authorizer({
    credentials: new CredentialStore({ ...options.credentials, env, secrets }),
    realmRules: { insecure, tokenServers: options.tokenServers },
    send: (request, signal) => sendAgain(http, request, signal, limits),
    secrets,
    idleTimeoutMs: limits.idleTimeoutMs,
  });
  const schemes = new SchemeProbe({ http, authorizer, insecure, signal });
  const session = new RegistrySession({ http, authorizer, schemes, insecure, limits, secrets });
  const mirrorsOf = (registry: string): readonly Endpoint[] =>
    mirrors.get(isHub(registry) ? 'docker.io' : registry) ?? [];
  return {
    operations: { session, mirrorsOf },
    agents,
    originUrl: (registry, signal) => schemes.originOf(originOf(registry), signal),
  };
}

/** Asks a token server, again while its trouble may pass; the last answer comes back whatever it is. */
async function sendAgain(
  http: HttpClient,
  request: Omit<HttpRequest, 'signal'>,
  signal: AbortSignal,
  limits: RegistryLimits,
): Promise<HttpAnswer> {
  for (let attempt = 1; ; attempt++) {
    let waitMs = backoffMs(attempt, limits);
    try {
      const answer = await http.send({ ...request, signal });
      const retryAfterMs = parseRetryAfter(answer.headers['retry-after'], Date.now()) ?? 0;
      const isLast = attempt >= limits.attempts || retryAfterMs > limits.maxRetryAfterMs;
      if (!isPassingStatus(answer.status) || isLast) return answer;
      await discardBody(answer);
      waitMs = Math.max(waitMs, retryAfterMs);
    } catch (error) {
      if (!isPassing(error) || isAbsent(error) || attempt >= limits.attempts) throw error;
    }
    await pause(waitMs, { signal });
  }
}
