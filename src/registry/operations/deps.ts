import type { CallOptions } from '../../util/signals.js';
import type { RegistryAuth } from '../auth/registry-auth.js';
import type { RegistryRepository } from '../names.js';
import { type Endpoint, originOf } from '../session/endpoints.js';
import type { RegistrySession } from '../session/session.js';

/** Options of every call of a registry client. @public */
export interface RegistryCallOptions extends CallOptions {
  /** Instead of what the client finds by itself; goes to the registry itself only, never to its mirrors. */
  readonly auth?: RegistryAuth;
}

/** A call inside the client: its signal is always there. */
export interface Call {
  readonly signal: AbortSignal;
  readonly auth: RegistryAuth | undefined;
}

export interface OperationDeps {
  readonly session: RegistrySession;
  /** Mirrors of a registry, in order. */
  mirrorsOf(registry: string): readonly Endpoint[];
}

/** Tries of a mirror: there is always somebody else to ask. */
export const MIRROR_ATTEMPTS = 2;

export type Action = 'pull' | 'push' | 'delete';

/** Path of a repository at an endpoint, with the scope that its requests need. */
export function at(endpoint: Endpoint, repository: string, ...actions: readonly Action[]) {
  const name = `${endpoint.prefix}${repository}`;
  return { path: `/v2/${name}`, repository: name, scopes: [`repository:${name}:${actions.join(',')}`] };
}

/** What a request to an endpoint says about the caller: the auth of a call is for the registry, not for a mirror. */
export function callerOf(endpoint: Endpoint, { auth }: Call): { auth: RegistryAuth | undefined; attempts?: number } {
  return endpoint.isMirror ? { auth: undefined, attempts: MIRROR_ATTEMPTS } : { auth };
}

export function originFor({ registry }: RegistryRepository): Endpoint {
  return originOf(registry);
}
