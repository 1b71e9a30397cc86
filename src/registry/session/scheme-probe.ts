import { EngineError } from '../../errors/index.js';
import { raceSignal } from '../../util/signals.js';
import type { Authorizer } from '../auth/authorizer.js';
import type { HttpClient } from '../http/http-client.js';
import type { InsecureRegistries } from '../http/insecure-registries.js';
import { discardBody } from '../http/read-body.js';
import type { Endpoint } from './endpoints.js';

export interface ProbeDeps {
  readonly http: Pick<HttpClient, 'send'>;
  readonly authorizer: Pick<Authorizer, 'learn'>;
  readonly insecure: InsecureRegistries;
  /** Ends the probes of all callers. */
  readonly signal: AbortSignal;
}

/**
 * Finds out whether a registry that may speak plain http does: https is tried first, as in Docker, and http only when the
 * host speaks no TLS or can't be reached by it. A certificate that can't be verified is an error, not a reason for http.
 * All other registries are https.
 */
export class SchemeProbe {
  readonly #deps: ProbeDeps;
  readonly #origins = new Map<string, Promise<URL>>();

  constructor(deps: ProbeDeps) {
    this.#deps = deps;
  }

  /** Scheme, host and port of an endpoint. Throws what an exchange throws. */
  async originOf(endpoint: Endpoint, signal: AbortSignal): Promise<URL> {
    const { host, scheme } = endpoint;
    if (scheme !== undefined) return new URL(`${scheme}//${host}`);
    if (this.#deps.insecure.of(host) === 'secure') return new URL(`https://${host}`);
    let origin = this.#origins.get(host);
    if (origin === undefined) {
      origin = this.#probe(endpoint);
      this.#origins.set(host, origin);
      origin.catch(() => this.#origins.delete(host));
    }
    return raceSignal(origin, signal);
  }

  async #probe(endpoint: Endpoint): Promise<URL> {
    const secure = new URL(`https://${endpoint.host}`);
    try {
      await this.#ask(secure, endpoint);
      return secure;
    } catch (error) {
      const isTls = EngineError.is(error, undefined, 'REGISTRY_TLS_FAILED') && error.details['speaksTls'] !== false;
      const isPossible = ['REGISTRY_TLS_FAILED', 'REGISTRY_UNREACHABLE', 'REGISTRY_TIMEOUT', 'REGISTRY_BAD_ANSWER'];
      if (isTls || !EngineError.is(error) || !isPossible.includes(error.reason)) throw error;
    }
    const plain = new URL(`http://${endpoint.host}`);
    await this.#ask(plain, endpoint);
    return plain;
  }

  async #ask(origin: URL, endpoint: Endpoint): Promise<void> {
    const { http, authorizer, signal } = this.#deps;
    const url = new URL('/v2/', origin);
    const headers = { 'User-Agent': 'caisson', Accept: 'application/json' };
    const answer = await http.send({
      method: 'GET',
      url,
      headers,
      purpose: 'registry',
      registry: endpoint.name,
      signal,
    });
    await discardBody(answer);
    if (answer.status === 401) authorizer.learn(origin, answer.headers['www-authenticate']);
  }
}
