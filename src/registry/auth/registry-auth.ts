import { createHash } from 'node:crypto';
import type { Secrets } from '../secrets.js';

/** What a registry wants to see: a password, an identity token (which buys access tokens), or an access token itself. @public */
export type RegistryAuth =
  | { readonly username: string; readonly password: string }
  | { readonly identityToken: string }
  | { readonly registryToken: string };

/** Remembers what must never stand in a message. */
export function rememberAuth(secrets: Secrets, auth: RegistryAuth): void {
  if ('password' in auth) {
    secrets.add(auth.password);
    secrets.add(`${auth.username}:${auth.password}`);
  } else secrets.add('identityToken' in auth ? auth.identityToken : auth.registryToken);
}

/** Tells accounts apart without holding their secrets a second time. */
export function authKey(auth: RegistryAuth | undefined): string {
  if (auth === undefined) return 'anonymous';
  const parts = 'password' in auth ? [auth.username, auth.password] : [JSON.stringify(auth)];
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url');
}

export function basicHeader(auth: { readonly username: string; readonly password: string }): string {
  return `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString('base64')}`;
}

/** True for an auth of one of the three kinds, with texts in it. */
export function isRegistryAuth(value: unknown): value is RegistryAuth {
  if (typeof value !== 'object' || value === null) return false;
  const { username, password, identityToken, registryToken } = value as Record<string, unknown>;
  // A colon would move the border between name and password.
  if (typeof username === 'string' && typeof password === 'string') return username !== '' && !username.includes(':');
  const token = identityToken ?? registryToken;
  return typeof token === 'string' && /^[\x21-\x7e]+$/.test(token);
}
