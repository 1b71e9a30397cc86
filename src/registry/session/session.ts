import type { Readable } from 'node:stream';
import type { Authorizer, AuthTarget } from '../auth/authorizer.js';
import type { RegistryAuth } from '../auth/registry-auth.js';
import type { HttpAnswer, HttpClient, HttpRequest } from '../http/http-client.js';
import type { InsecureRegistries } from '../http/insecure-registries.js';
import { discardBody } from '../http/read-body.js';
import { isPassing } from '../http/transport-error.js';
import type { RegistryLimits } from '../limits.js';
import { parseRetryAfter } from '../protocol/ranges.js';
import type { Secrets } from '../secrets.js';
import type { Endpoint } from './endpoints.js';
import { checkLocation } from './redirect.js';
import { backoffMs, isAbsent, isPassingStatus, isStale, pause } from './retry.js';
import type { SchemeProbe } from './scheme-probe.js';
import { type Subject, statusError } from './status-error.js';

/** One request to a registry, as often as it takes. */
export interface RegistryRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below the endpoint: `/v2/…` with its query; or a whole place that the registry named. */
  readonly path: string | URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** Made anew for each try; a stream is destroyed behind it. */
  readonly body?: (() => Uint8Array | Readable) | undefined;
  readonly repository: string | undefined;
  readonly scopes: readonly string[];
  readonly auth?: RegistryAuth | undefined;
  /** Statuses that are returned; others are errors. */
  readonly accepts: readonly number[];
  readonly subject: Subject;
  /** Tries in all. @defaultValue the client's limit */
  readonly attempts?: number;
  readonly headersTimeoutMs?: number;
  /** False: part of it may have had its effect when the connection broke, so it is sent once. @defaultValue true */
  readonly isRepeatable?: boolean;
}

export interface SessionDeps {
  readonly http: Pick<HttpClient, 'send'>;
  readonly authorizer: Pick<Authorizer, 'header' | 'challenged'>;
  readonly schemes: Pick<SchemeProbe, 'originOf'>;
  readonly insecure: InsecureRegistries;
  readonly limits: RegistryLimits;
  readonly secrets: Secrets;
}

const COMMON = { 'User-Agent': 'caisson', 'Accept-Encoding': 'identity' };
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const MAX_REDIRECTS = 5;
const MAX_CHALLENGES = 2;
const MAX_STALE = 3;

/** Requests to the endpoints of registries: authentication, redirects and further tries are done here. */
export class RegistrySession {
  readonly #deps: SessionDeps;
  /** Origins that have answered this client before. */
  readonly #seen = new Set<string>();

  constructor(deps: SessionDeps) {
    this.#deps = deps;
  }

  get limits(): RegistryLimits {
    return this.#deps.limits;
  }

  get secrets(): Secrets {
    return this.#deps.secrets;
  }

  /** The place that an answer names for what comes next, checked. */
  locationOf(answer: HttpAnswer): URL {
    return checkLocation(answer.url, answer.headers.location, this.#deps.insecure);
  }

  /**
   * Resolves with an answer of an accepted status, its body still to be read. Throws REGISTRY_UNREACHABLE,
   * REGISTRY_TLS_FAILED, REGISTRY_TIMEOUT, REGISTRY_RATE_LIMITED and the others of the status, REGISTRY_BAD_REDIRECT,
   * what authentication throws, and the signal's error.
   */
  send(endpoint: Endpoint, request: RegistryRequest, signal: AbortSignal): Promise<HttpAnswer> {
    return this.read(endpoint, request, signal, (answer) => answer);
  }

  /** Like `send`, with what `consume` makes of the answer; one that breaks off in the middle of its body is asked for again. */
  async read<T>(
    endpoint: Endpoint,
    request: RegistryRequest,
    signal: AbortSignal,
    consume: (answer: HttpAnswer) => T | Promise<T>,
  ): Promise<T> {
    const { limits, secrets } = this.#deps;
    const isRepeatable = request.isRepeatable ?? true;
    const attempts = isRepeatable ? (request.attempts ?? limits.attempts) : 1;
    let stale = 0;
    for (let attempt = 1; ; attempt++) {
      let waitMs = backoffMs(attempt, limits);
      try {
        const answer = await this.#once(endpoint, request, signal);
        this.#seen.add(endpoint.host);
        if (request.accepts.includes(answer.status)) return await consume(answer);
        const retryAfterMs = parseRetryAfter(answer.headers['retry-after'], Date.now());
        const isWorthIt = isPassingStatus(answer.status) && (retryAfterMs ?? 0) <= limits.maxRetryAfterMs;
        if (!isWorthIt || attempt >= attempts) {
          throw await statusError(answer, request.subject, { ...limits, signal }, secrets);
        }
        waitMs = Math.max(waitMs, retryAfterMs ?? 0);
        await discardBody(answer);
      } catch (error) {
        if (!isPassing(error)) throw error;
        if (isRepeatable && isStale(error) && stale < MAX_STALE) {
          stale++;
          attempt--;
          continue;
        }
        if (attempt >= attempts || (isAbsent(error) && !this.#seen.has(endpoint.host))) throw error;
      }
      await pause(waitMs, { signal });
    }
  }

  async #once(endpoint: Endpoint, request: RegistryRequest, signal: AbortSignal): Promise<HttpAnswer> {
    const { authorizer, http, insecure, schemes } = this.#deps;
    const origin = await schemes.originOf(endpoint, signal);
    const { path, repository, scopes, auth } = request;
    let url = path instanceof URL ? path : new URL(path, origin);
    const target: AuthTarget = { origin, registry: endpoint.name, repository, scopes, auth };
    let isOwn = url.origin === origin.origin;
    let authorization = isOwn ? await authorizer.header(target, signal) : undefined;
    for (let challenges = 0, redirects = 0; ; ) {
      const answer = await http.send({
        ...common(request, endpoint),
        url,
        headers: {
          ...COMMON,
          ...request.headers,
          ...(authorization !== undefined && { Authorization: authorization }),
        },
        body: request.body?.(),
        // Only what the user named counts as named: not what it sends us to.
        purpose: isOwn ? 'registry' : 'redirect',
        signal,
      });
      if (answer.status === 401 && isOwn && challenges < MAX_CHALLENGES && !request.accepts.includes(401)) {
        challenges++;
        await discardBody(answer);
        authorization = await authorizer.challenged(target, answer.headers['www-authenticate'], authorization, signal);
      } else if (REDIRECTS.has(answer.status) && isSafe(request.method) && redirects < MAX_REDIRECTS) {
        redirects++;
        await discardBody(answer);
        url = checkLocation(url, answer.headers.location, insecure);
        // Once away from its origin, a request stays without credentials, wherever it is sent next.
        isOwn &&= url.origin === origin.origin;
        if (!isOwn) authorization = undefined;
      } else return answer;
    }
  }
}

function common(
  { method, headersTimeoutMs }: RegistryRequest,
  { name }: Endpoint,
): Pick<HttpRequest, 'method' | 'registry' | 'headersTimeoutMs'> {
  return { method, registry: name, headersTimeoutMs };
}

function isSafe(method: string): boolean {
  return method === 'GET' || method === 'HEAD';
}
