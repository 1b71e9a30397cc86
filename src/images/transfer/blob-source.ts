import type { CallOptions } from '../../util/signals.js';

/** A repository of a registry. @public */
export interface RemoteRepository {
  /** Host with optional port, as image names have it: `docker.io`, `127.0.0.1:5000`. */
  readonly registry: string;
  /** Path in it: `library/alpine`. */
  readonly repository: string;
}

/** A manifest in a repository: by tag or by digest. */
export interface RemoteReference extends RemoteRepository {
  readonly tag?: string;
  readonly digest?: string;
}

/** A manifest or index as a registry gave it. */
export interface RemoteManifest {
  /** Of the bytes. */
  readonly digest: string;
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/** Who pulls: overrides what the engine knows of the registry. @public */
export type RegistryAuth =
  | { readonly username: string; readonly password: string }
  /** A refresh token, as `docker login` gets it from some registries. */
  | { readonly identityToken: string }
  /** A bearer token that the registry takes as it is. */
  | { readonly registryToken: string };

/** Options of each request. */
export interface RegistryCall extends CallOptions {
  readonly auth?: RegistryAuth;
}

/** What pulling needs of a registry; the registry client fits it. Nothing that it gives is trusted. */
export interface BlobSource {
  manifest(
    reference: RemoteReference,
    options: { readonly accept?: readonly string[] } & RegistryCall,
  ): Promise<RemoteManifest>;
  /** `undefined` where there is no such manifest, or a registry does not say its digest. */
  headManifest(
    reference: RemoteReference,
    options: { readonly accept?: readonly string[] } & RegistryCall,
  ): Promise<{ readonly digest: string; readonly mediaType: string } | undefined>;
  /** The bytes from `offset` on. */
  blob(
    repository: RemoteRepository,
    digest: string,
    options: { readonly offset?: number; readonly size?: number } & RegistryCall,
  ): Promise<AsyncIterable<Uint8Array>>;
}

/** Gives the client of all pulls of a store; whoever opened the store closes it. */
export type ConnectRegistry = () => BlobSource | Promise<BlobSource>;

/** The source with credentials of the caller's own. */
export function withAuth(source: BlobSource, auth: RegistryAuth | undefined): BlobSource {
  if (auth === undefined) return source;
  return {
    manifest: (reference, options) => source.manifest(reference, { ...options, auth }),
    headManifest: (reference, options) => source.headManifest(reference, { ...options, auth }),
    blob: (repository, digest, options) => source.blob(repository, digest, { ...options, auth }),
  };
}
