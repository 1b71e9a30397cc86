import { engineError, quote } from '../../errors/index.js';
import { parseChallenges } from '../protocol/challenge.js';
import type { CredentialStore } from './credential-store.js';
import { checkRealm, type RealmRules } from './realm.js';
import { authKey, basicHeader, type RegistryAuth, rememberAuth } from './registry-auth.js';
import { TokenCache } from './token-cache.js';
import { requestToken, type TokenDeps } from './token-request.js';

/** Who asks, and for what. */
export interface AuthTarget {
  /** Where the request goes: credentials go nowhere else, but for the token server it names. */
  readonly origin: URL;
  /** Name of the registry (or mirror) that credentials are looked up by. */
  readonly registry: string;
  readonly repository: string | undefined;
  /** `repository:library/alpine:pull`. */
  readonly scopes: readonly string[];
  /** Given with the call; comes before all others. */
  readonly auth: RegistryAuth | undefined;
}

export interface AuthorizerDeps extends TokenDeps {
  readonly credentials: Pick<CredentialStore, 'find'>;
  readonly realmRules: RealmRules;
}

type Known =
  | { readonly kind: 'bearer'; readonly realm: string | undefined; readonly service: string | undefined }
  | { readonly kind: 'basic' };

const SCOPE = /^[a-z]+(?:\([a-z]+\))?:[a-zA-Z0-9._/:-]{1,300}:[a-z*]+(?:,[a-z*]+)*$/;
const MAX_EXTRA_SCOPES = 4;

/** Knows what each origin asks for and answers it: asked once, later requests carry the answer from the start. */
export class Authorizer {
  readonly #deps: AuthorizerDeps;
  readonly #known = new Map<string, Known>();
  readonly #wider = new Map<string, readonly string[]>();
  readonly #basic = new Map<string, string>();
  readonly #tokens = new TokenCache();
  /** Identity tokens that their server replaced. */
  readonly #rotated = new Map<string, string>();

  constructor(deps: AuthorizerDeps) {
    this.#deps = deps;
  }

  /** Learns from the answer to a probe what an origin asks for. */
  learn(origin: URL, header: string | undefined): void {
    const known = choose(header);
    if (known !== undefined) this.#known.set(origin.origin, known);
  }

  /** The Authorization header of a request; `undefined` while the origin has not asked for one. */
  async header(target: AuthTarget, signal: AbortSignal): Promise<string | undefined> {
    const known = this.#known.get(target.origin.origin);
    if (known === undefined) return undefined;
    return this.#answer(known, target, this.#scopesOf(target), signal);
  }

  /**
   * The header for a second try after `401`. Throws REGISTRY_UNAUTHENTICATED when there is nothing better to offer than
   * what was sent, and what checkRealm and the credentials throw.
   */
  async challenged(
    target: AuthTarget,
    header: string | undefined,
    sent: string | undefined,
    signal: AbortSignal,
  ): Promise<string> {
    const known = choose(header);
    if (known === undefined) throw refused(target, 'and asks for nothing that caisson can give');
    this.#known.set(target.origin.origin, known);
    const scopes = this.#widen(target, header);
    if (sent !== undefined) this.#forget(target, scopes, sent);
    const answer = await this.#answer(known, target, scopes, signal);
    if (answer === undefined) throw refused(target, 'and there are no credentials for it');
    if (answer === sent) throw refused(target, 'and does not take the credentials');
    return answer;
  }

  async #answer(
    known: Known,
    target: AuthTarget,
    scopes: readonly string[],
    signal: AbortSignal,
  ): Promise<string | undefined> {
    if (known.kind === 'basic') return this.#basicHeader(target, signal);
    const key = tokenKey(target, scopes);
    const token = await this.#tokens.get(key, signal, async (signal) => {
      const auth = await this.#auth(target, signal);
      if (auth !== undefined && 'registryToken' in auth) {
        return { value: auth.registryToken, goodUntil: 0, identityToken: undefined };
      }
      const realm = checkRealm(
        known.realm,
        { origin: target.origin, registry: target.registry, withCredentials: auth !== undefined },
        this.#deps.realmRules,
      );
      const current = this.#newest(auth);
      const { service } = known;
      const question = { realm, service, scopes, auth: current, registry: target.registry };
      const token = await requestToken(this.#deps, question, signal);
      if (auth !== undefined && 'identityToken' in auth && token.identityToken !== undefined) {
        this.#rotated.set(authKey(auth), token.identityToken);
      }
      return token;
    });
    return `Bearer ${token.value}`;
  }

  #newest(auth: Exclude<RegistryAuth, { readonly registryToken: string }> | undefined) {
    const rotated = auth === undefined ? undefined : this.#rotated.get(authKey(auth));
    return rotated === undefined ? auth : { identityToken: rotated };
  }

  async #basicHeader(target: AuthTarget, signal: AbortSignal): Promise<string | undefined> {
    const key = `${target.origin.origin} ${target.repository ?? ''} ${authKey(target.auth)}`;
    const kept = this.#basic.get(key);
    if (kept !== undefined) return kept;
    const auth = await this.#auth(target, signal);
    if (auth === undefined || !('password' in auth)) return undefined;
    const header = basicHeader(auth);
    this.#basic.set(key, header);
    return header;
  }

  async #auth(target: AuthTarget, signal: AbortSignal): Promise<RegistryAuth | undefined> {
    if (target.auth === undefined) {
      return this.#deps.credentials.find(target.registry, target.repository, { signal });
    }
    rememberAuth(this.#deps.secrets, target.auth);
    return target.auth;
  }

  /** What was refused is not offered again from the cache: files and helpers may know better by now. */
  #forget(target: AuthTarget, scopes: readonly string[], sent: string): void {
    for (const [key, header] of this.#basic) if (header === sent) this.#basic.delete(key);
    for (const asked of [scopes, target.scopes])
      this.#tokens.forget(tokenKey(target, asked), sent.replace(/^Bearer /, ''));
  }

  #scopesOf(target: AuthTarget): readonly string[] {
    return this.#wider.get(scopesKey(target)) ?? target.scopes;
  }

  /** Our scopes and those that the registry itself names: it may count a repository under another name. */
  #widen(target: AuthTarget, header: string | undefined): readonly string[] {
    const own = this.#scopesOf(target);
    const bearer = parseChallenges(header).find(({ scheme }) => scheme === 'bearer');
    const named = (bearer?.params.get('scope') ?? '').split(' ').filter((scope) => SCOPE.test(scope));
    const extra = named.filter((scope) => !own.some((mine) => covers(mine, scope))).slice(0, MAX_EXTRA_SCOPES);
    if (extra.length === 0 || own.length + extra.length > 16) return own;
    const wider = [...own, ...extra];
    if (this.#wider.size > 1000) this.#wider.clear();
    this.#wider.set(scopesKey(target), wider);
    return wider;
  }
}

/** True when everything that `asked` names is in `mine`. */
function covers(mine: string, asked: string): boolean {
  const split = (scope: string) => {
    const at = scope.lastIndexOf(':');
    return { name: scope.slice(0, at), actions: scope.slice(at + 1).split(',') };
  };
  const [have, want] = [split(mine), split(asked)];
  return have.name === want.name && want.actions.every((action) => have.actions.includes(action));
}

function choose(header: string | undefined): Known | undefined {
  const challenges = parseChallenges(header);
  const bearer = challenges.find(({ scheme, params }) => scheme === 'bearer' && params.has('realm'));
  if (bearer !== undefined) {
    return { kind: 'bearer', realm: bearer.params.get('realm'), service: bearer.params.get('service') };
  }
  return challenges.some(({ scheme }) => scheme === 'basic') ? { kind: 'basic' } : undefined;
}

function scopesKey(target: AuthTarget): string {
  return JSON.stringify([target.origin.origin, target.scopes]);
}

function tokenKey(target: AuthTarget, scopes: readonly string[]): string {
  const account = [target.registry, target.auth === undefined ? target.repository : authKey(target.auth)];
  return JSON.stringify([target.origin.origin, account, [...scopes].sort()]);
}

function refused(target: AuthTarget, why: string): Error {
  const { registry, repository } = target;
  const name = repository === undefined ? registry : `${registry}/${repository}`;
  return engineError('REGISTRY_UNAUTHENTICATED', `registry refuses access to ${quote(name)} ${why}`, {
    details: { registry, ...(repository !== undefined && { repository }) },
  });
}
