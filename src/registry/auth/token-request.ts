import * as v from 'valibot';
import { engineError, quote } from '../../errors/index.js';
import type { HttpAnswer, HttpRequest } from '../http/http-client.js';
import { discardBody, readBody } from '../http/read-body.js';
import { badAnswer } from '../http/transport-error.js';
import { readErrorAnswer } from '../protocol/error-answer.js';
import { parseJsonObject } from '../protocol/json-object.js';
import type { Secrets } from '../secrets.js';
import { basicHeader, type RegistryAuth } from './registry-auth.js';

/** An access token. */
export interface Token {
  readonly value: string;
  /** Milliseconds of performance.now() until which it is good. */
  readonly goodUntil: number;
  /** The identity token to use from now on, where the server gave another. */
  readonly identityToken: string | undefined;
}

export interface TokenQuestion {
  readonly realm: URL;
  readonly service: string | undefined;
  readonly scopes: readonly string[];
  readonly auth: Exclude<RegistryAuth, { readonly registryToken: string }> | undefined;
  /** Host that the user named. */
  readonly registry: string;
}

export interface TokenDeps {
  /** Sends with retries; answers of any status come back. */
  readonly send: (request: Omit<HttpRequest, 'signal'>, signal: AbortSignal) => Promise<HttpAnswer>;
  readonly secrets: Secrets;
  readonly idleTimeoutMs: number;
}

const MAX_ANSWER = 1024 * 1024;
const CLIENT_ID = 'caisson';
const DEFAULT_LIFETIME_S = 60;

const text = v.nullish(v.pipe(v.string(), v.maxLength(MAX_ANSWER)));
// What goes into a header: nothing that could end it.
const tokenText = v.nullish(v.pipe(v.string(), v.regex(/^[\x21-\x7e]*$/)));
const answerSchema = v.object({
  token: tokenText,
  access_token: tokenText,
  refresh_token: text,
  expires_in: v.nullish(v.pipe(v.number(), v.finite())),
});

/**
 * Buys an access token: with an identity token by the OAuth2 form (POST), else by GET, with the password as Basic or
 * anonymously. Throws REGISTRY_UNAUTHENTICATED when the server does not know the account, REGISTRY_BAD_ANSWER.
 */
export async function requestToken(deps: TokenDeps, question: TokenQuestion, signal: AbortSignal): Promise<Token> {
  const askedAt = performance.now();
  const request =
    question.auth !== undefined && 'identityToken' in question.auth ? postForm(question) : getForm(question);
  const answer = await deps.send(request, signal);
  const { status } = answer;
  const { realm, registry } = question;
  if (status >= 300 && status < 400) {
    await discardBody(answer);
    throw engineError(
      'REGISTRY_BAD_REDIRECT',
      `token server ${quote(realm.host)} redirects, and credentials go nowhere else`,
      {
        details: { registry, realm: realm.host, status },
      },
    );
  }
  const limits = { idleTimeoutMs: deps.idleTimeoutMs, signal };
  if (status !== 200) {
    const says = await readErrorAnswer(answer, limits, deps.secrets);
    const reason = status >= 500 || status === 429 ? 'REGISTRY_FAILED' : 'REGISTRY_UNAUTHENTICATED';
    throw engineError(
      reason,
      `token server ${quote(realm.host)} of ${quote(registry)} answered ${status}${says.text}`,
      {
        details: { registry, realm: realm.host, status, answer: says.answer },
      },
    );
  }
  const bytes = await readBody(answer, { ...limits, maxBytes: MAX_ANSWER });
  return parseToken(bytes, askedAt, deps, realm);
}

function getForm({ realm, service, scopes, auth, registry }: TokenQuestion): Omit<HttpRequest, 'signal'> {
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.set('service', service);
  for (const scope of scopes) url.searchParams.append('scope', scope);
  const isKnown = auth !== undefined && 'password' in auth;
  if (isKnown) url.searchParams.set('account', auth.username);
  const headers = { Accept: 'application/json', ...(isKnown && { Authorization: basicHeader(auth) }) };
  return { method: 'GET', url, headers, purpose: 'token', registry };
}

function postForm({ realm, service, scopes, auth, registry }: TokenQuestion): Omit<HttpRequest, 'signal'> {
  const form = new URLSearchParams({ grant_type: 'refresh_token', client_id: CLIENT_ID });
  if (service !== undefined) form.set('service', service);
  if (scopes.length > 0) form.set('scope', scopes.join(' '));
  if (auth !== undefined && 'identityToken' in auth) form.set('refresh_token', auth.identityToken);
  const body = Buffer.from(form.toString());
  const headers = {
    Accept: 'application/json',
    'Content-Type': 'application/x-www-form-urlencoded',
    'Content-Length': String(body.length),
  };
  return { method: 'POST', url: realm, headers, body, purpose: 'token', registry };
}

function parseToken(bytes: Buffer, askedAt: number, { secrets }: TokenDeps, realm: URL): Token {
  const result = v.safeParse(answerSchema, parseJsonObject(bytes), { abortEarly: true });
  const found = result.success ? result.output : undefined;
  const token = found?.token || found?.access_token;
  if (!token) throw badAnswer(realm, 'gave no usable token');
  secrets.add(token);
  if (found?.refresh_token) secrets.add(found.refresh_token);
  const lifetimeMs = Math.max(0, found?.expires_in ?? DEFAULT_LIFETIME_S) * 1000;
  return {
    value: token,
    // From before the question on, and never to its last second: a request takes a while to arrive.
    goodUntil: askedAt + lifetimeMs - Math.min(10_000, lifetimeMs * 0.2),
    identityToken: found?.refresh_token || undefined,
  };
}
