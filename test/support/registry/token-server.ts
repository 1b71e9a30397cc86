import { createPrivateKey, randomBytes, sign, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { requireBinary } from '../require.js';
import { runOk } from '../run.js';

export interface TokenServerOptions {
  readonly dir: string;
  readonly users?: Readonly<Record<string, string>>;
  /** Identity tokens that POST takes, with whom they stand for. */
  readonly refreshTokens?: Readonly<Record<string, string>>;
  /** What a user may do in a repository; default: an anonymous one pulls, a known one does all. */
  readonly allows?: (user: string | undefined, repository: string, action: string) => boolean;
  /** @defaultValue 300 */
  readonly expiresInSeconds?: number;
  readonly tls?: { readonly cert: string; readonly key: string };
}

/** One request as the token server got it. */
export interface TokenRequest {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  /** Query of a GET, form of a POST. */
  readonly fields: Readonly<Record<string, string>>;
  readonly scopes: readonly string[];
}

/** A token server of the tests, in this process; docker-registry trusts its certificate. */
export interface TokenServer {
  readonly host: string;
  readonly realm: string;
  readonly service: string;
  readonly issuer: string;
  readonly certificatePath: string;
  readonly requests: TokenRequest[];
  /** The next answers, first come first served: status and JSON value (or text). */
  readonly nextAnswers: { status: number; body: unknown; headers?: Readonly<Record<string, string>> }[];
  /** Changed at run time. */
  expiresInSeconds: number;
  close(): Promise<void>;
}

/** Starts a token server on 127.0.0.1; it ends with the test. Skips without openssl. */
export async function startTokenServer(
  t: Pick<TestContext, 'skip' | 'after'>,
  options: TokenServerOptions,
): Promise<TokenServer | undefined> {
  const openssl = requireBinary(t, 'openssl');
  if (openssl === undefined) return undefined;
  const keyPath = join(options.dir, 'token.key');
  const certificatePath = join(options.dir, 'token.pem');
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=token server'];
  await runOk(openssl, ['req', '-x509', '-days', '2', ...kind, '-keyout', keyPath, '-out', certificatePath]);
  const signer = {
    key: createPrivateKey(readFileSync(keyPath)),
    cert: new X509Certificate(readFileSync(certificatePath)),
  };
  const issuer = 'issuer of the tests';
  const service = 'registry of the tests';

  const server: Server =
    options.tls === undefined
      ? createServer()
      : createTlsServer({ cert: readFileSync(options.tls.cert), key: readFileSync(options.tls.key) });
  server.on('request', async (request: IncomingMessage, response) => {
    const asked = await readRequest(request);
    state.requests.push(asked);
    const scripted = state.nextAnswers.shift();
    const { status, body, headers } = scripted ?? answer(asked, options, { issuer, signer, state });
    response.writeHead(status, { 'Content-Type': 'application/json', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const state: TokenServer = {
    host,
    realm: `${options.tls === undefined ? 'http' : 'https'}://${host}/token`,
    service,
    issuer,
    certificatePath,
    requests: [],
    nextAnswers: [],
    expiresInSeconds: options.expiresInSeconds ?? 300,
    close: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
  t.after(() => state.close());
  return state;
}

async function readRequest(request: IncomingMessage): Promise<TokenRequest> {
  let body = '';
  for await (const chunk of request.setEncoding('utf8')) body += chunk;
  const url = new URL(request.url ?? '/', 'http://token');
  const fields = request.method === 'POST' ? new URLSearchParams(body) : url.searchParams;
  return {
    method: request.method ?? '',
    path: url.pathname,
    authorization: request.headers.authorization,
    fields: Object.fromEntries(fields),
    scopes: fields
      .getAll('scope')
      .flatMap((scope) => scope.split(' '))
      .filter((scope) => scope !== ''),
  };
}

interface Signer {
  readonly issuer: string;
  readonly signer: { readonly key: ReturnType<typeof createPrivateKey>; readonly cert: X509Certificate };
  readonly state: TokenServer;
}

function answer(
  asked: TokenRequest,
  options: TokenServerOptions,
  { issuer, signer, state }: Signer,
): TokenServer['nextAnswers'][number] {
  let user: string | undefined;
  if (asked.method === 'POST') {
    if (asked.fields['grant_type'] !== 'refresh_token')
      return { status: 400, body: { error: 'unsupported_grant_type' } };
    user = options.refreshTokens?.[asked.fields['refresh_token'] ?? ''];
    if (user === undefined) return { status: 401, body: { error: 'invalid_grant' } };
  } else if (asked.authorization !== undefined) {
    const [name = '', ...rest] = Buffer.from(asked.authorization.replace(/^Basic /, ''), 'base64')
      .toString()
      .split(':');
    if (options.users?.[name] !== rest.join(':')) return { status: 401, body: { errors: [{ code: 'UNAUTHORIZED' }] } };
    user = name;
  }
  const allows = options.allows ?? ((who, _, action) => who !== undefined || action === 'pull');
  const access = asked.scopes.map((scope) => {
    const [type = '', ...middle] = scope.split(':');
    const actions = (middle.pop() ?? '').split(',').filter((action) => allows(user, middle.join(':'), action));
    return { type, name: middle.join(':'), actions };
  });
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: issuer,
    sub: user ?? '',
    aud: asked.fields['service'] ?? '',
    exp: now + state.expiresInSeconds,
    nbf: now - 10,
    iat: now,
    jti: randomBytes(8).toString('hex'),
    access,
  };
  const token = signedToken(claims, signer);
  const named =
    asked.method === 'POST' ? { access_token: token, refresh_token: asked.fields['refresh_token'] } : { token };
  return { status: 200, body: { ...named, expires_in: state.expiresInSeconds, issued_at: new Date().toISOString() } };
}

function signedToken(claims: object, { key, cert }: Signer['signer']): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const header = { typ: 'JWT', alg: 'ES256', x5c: [cert.raw.toString('base64')] };
  const text = `${part(header)}.${part(claims)}`;
  return `${text}.${sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}
