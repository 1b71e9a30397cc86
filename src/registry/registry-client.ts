import type { Readable } from 'node:stream';
import { engineError, quote } from '../errors/index.js';
import { isRegistryAuth } from './auth/registry-auth.js';
import { OpenCalls } from './call-scope.js';
import { discardBody } from './http/read-body.js';
import { badAnswer } from './http/transport-error.js';
import { isRegistryHost, type RegistryReference, type RegistryRepository } from './names.js';
import type { BlobToUpload, UploadOptions } from './operations/blob-to-upload.js';
import { headBlob, openBlob } from './operations/blobs.js';
import type { Call, RegistryCallOptions } from './operations/deps.js';
import { getManifest, headManifest, type RegistryManifest, type RegistryManifestInfo } from './operations/manifests.js';
import { deleteManifest, type ManifestToPut, type PutManifestResult, putManifest } from './operations/put-manifest.js';
import { listReferrers, type Referrer } from './operations/referrers.js';
import { listTags } from './operations/tags.js';
import { mountBlob, type UploadOutcome, uploadBlob } from './operations/upload-blob.js';
import { checkOptionalDigest, type RegistryClientOptions, resolveClientOptions } from './options.js';
import { originOf } from './session/endpoints.js';
import { type ClientParts, wireClient } from './wire-client.js';

/** Options of a look at a manifest. @public */
export interface ManifestOptions extends RegistryCallOptions {
  /** Media types to ask for. @defaultValue OCI and Docker schema 2 manifests and indexes */
  readonly accept?: readonly string[];
}

/** Options of `blob`. @public */
export interface BlobOptions extends RegistryCallOptions {
  /** First byte that is wanted. @defaultValue 0 */
  readonly offset?: number;
  /** Size of the whole blob, where it is known: more or less is SIZE_MISMATCH. */
  readonly size?: number;
  /** Ask the registry itself only: a mirror gave wrong bytes. */
  readonly skipMirrors?: boolean;
}

/**
 * Speaks to registries by the OCI distribution specification (and Docker's v2 protocol): one client for any number of
 * them. Connections, tokens and what is known of each registry belong to the client; nothing is shared between clients.
 *
 * Every call takes a signal, ends by itself when the other side goes silent, and tries again what may pass. Credentials
 * go to the registry that they are for, and are in no error, record or log.
 *
 * @public
 */
export class RegistryClient implements AsyncDisposable {
  readonly #parts: ClientParts;
  readonly #open = new OpenCalls();
  readonly #shared = new AbortController();

  /** Throws BAD_OPTION, UNKNOWN_OPTION. Contacts nobody. */
  constructor(options: RegistryClientOptions = {}) {
    this.#parts = wireClient(resolveClientOptions(options), this.#shared.signal);
  }

  /** Asks whether a registry is there and takes the credentials. Throws REGISTRY_BAD_ANSWER when it is no registry. */
  async ping(registry: string, options: RegistryCallOptions = {}): Promise<{ readonly url: string }> {
    if (!isRegistryHost(registry)) {
      throw engineError('BAD_REFERENCE', `registry ${quote(registry)} is no host[:port]`, {
        details: { field: 'registry', value: quote(registry) },
      });
    }
    return this.#run(options, async ({ signal, auth }) => {
      const { session } = this.#parts.operations;
      const subject = { kind: 'registry', name: registry };
      const answer = await session.send(
        originOf(registry),
        { method: 'GET', path: '/v2/', repository: undefined, scopes: [], auth, accepts: [200, 404], subject },
        signal,
      );
      await discardBody(answer);
      if (answer.status === 404) throw badAnswer(answer.url, 'is no registry of version 2');
      return { url: answer.url.origin };
    });
  }

  /**
   * Gets a manifest or index. By digest: the bytes hash to it, from wherever they come. By tag: the registry itself says
   * which digest that is, or a mirror that is trusted to. The document itself is not checked: only that it is JSON.
   *
   * With `ifDigestIsNot`, `undefined` when the reference still has that digest; nothing is fetched then.
   *
   * Throws REGISTRY_NOT_FOUND, REGISTRY_UNAUTHENTICATED, DIGEST_MISMATCH, BAD_MANIFEST above 4 MiB,
   * UNSUPPORTED_MEDIA_TYPE for Docker's schema 1.
   */
  manifest(
    reference: RegistryReference,
    options?: ManifestOptions & { readonly ifDigestIsNot?: undefined },
  ): Promise<RegistryManifest>;
  manifest(
    reference: RegistryReference,
    options: ManifestOptions & { readonly ifDigestIsNot?: string },
  ): Promise<RegistryManifest | undefined>;
  async manifest(
    reference: RegistryReference,
    options: ManifestOptions & { readonly ifDigestIsNot?: string | undefined } = {},
  ): Promise<RegistryManifest | undefined> {
    checkOptionalDigest('ifDigestIsNot', options.ifDigestIsNot);
    return this.#run(options, (call) => getManifest(this.#parts.operations, reference, options, call));
  }

  /** Digest, type and size of a manifest without fetching it; `undefined` when there is none. */
  headManifest(reference: RegistryReference, options: ManifestOptions = {}): Promise<RegistryManifestInfo | undefined> {
    return this.#run(options, (call) => headManifest(this.#parts.operations, reference, options, call));
  }

  /**
   * Opens a blob, from `offset` on. When a connection breaks, another goes on where it ended. The stream must be read or
   * destroyed. Its bytes are **not** verified: hash them. The signal counts until the stream is over.
   *
   * The promise rejects when the first connection fails; later the stream ends with the error: REGISTRY_UNREACHABLE,
   * REGISTRY_TIMEOUT, SIZE_MISMATCH, REGISTRY_BLOB_CHANGED…
   */
  async blob(repository: RegistryRepository, digest: string, options: BlobOptions = {}): Promise<Readable> {
    const auth = checkedAuth(options);
    const scope = this.#open.begin(options);
    const end = () => scope[Symbol.dispose]();
    try {
      return await openBlob(this.#parts.operations, repository, digest, options, { signal: scope.signal, auth }, end);
    } catch (error) {
      end();
      throw error;
    }
  }

  /** Whether a registry has a blob in a repository, and its size where it says that. */
  headBlob(
    repository: RegistryRepository,
    digest: string,
    options: RegistryCallOptions = {},
  ): Promise<{ readonly digest: string; readonly size: number | undefined } | undefined> {
    return this.#run(options, (call) => headBlob(this.#parts.operations, repository, digest, call));
  }

  /** Links a blob from another repository of the same registry; false when the registry does not do that. Idempotent. */
  mountBlob(
    repository: RegistryRepository,
    digest: string,
    from: string,
    options: RegistryCallOptions = {},
  ): Promise<boolean> {
    return this.#run(options, (call) => mountBlob(this.#parts.operations, repository, digest, from, call));
  }

  /**
   * Uploads a blob, in one stream or in pieces; resolves when the registry has it. Idempotent. It does not look first
   * whether the blob is there: `headBlob` does.
   */
  uploadBlob(
    repository: RegistryRepository,
    blob: BlobToUpload,
    options: UploadOptions & RegistryCallOptions = {},
  ): Promise<UploadOutcome> {
    return this.#run(options, (call) => uploadBlob(this.#parts.operations, repository, blob, options, call));
  }

  /** Stores a manifest under a tag or its digest, when all that it names is there. Idempotent. */
  putManifest(
    reference: RegistryReference,
    manifest: ManifestToPut,
    options: RegistryCallOptions = {},
  ): Promise<PutManifestResult> {
    return this.#run(options, (call) => putManifest(this.#parts.operations, reference, manifest, call));
  }

  /** Deletes a manifest by its digest, or a tag where the registry can do that. Throws REGISTRY_NOT_FOUND, REGISTRY_UNSUPPORTED. */
  deleteManifest(reference: RegistryReference, options: RegistryCallOptions = {}): Promise<void> {
    return this.#run(options, (call) => deleteManifest(this.#parts.operations, reference, call));
  }

  /** The tags of a repository, fetched page by page while they are taken. */
  async *tags(
    repository: RegistryRepository,
    options: RegistryCallOptions & { readonly pageSize?: number } = {},
  ): AsyncGenerator<string, void, undefined> {
    const auth = checkedAuth(options);
    const { pageSize = 1000 } = options;
    if (!Number.isSafeInteger(pageSize) || pageSize < 1) {
      throw engineError('BAD_OPTION', `field pageSize ${quote(pageSize)} is not a number of tags`, {
        details: { field: 'pageSize', value: quote(pageSize) },
      });
    }
    using scope = this.#open.begin(options);
    yield* listTags(this.#parts.operations, repository, pageSize, { signal: scope.signal, auth });
  }

  /** The manifests that have this one as their subject: signatures and the like. */
  referrers(
    repository: RegistryRepository,
    digest: string,
    options: RegistryCallOptions & { readonly artifactType?: string } = {},
  ): Promise<Referrer[]> {
    const { artifactType } = options;
    return this.#run(options, (call) => listReferrers(this.#parts.operations, repository, digest, artifactType, call));
  }

  /** Ends all calls and streams with CLOSED and closes all connections. Idempotent. */
  async close(): Promise<void> {
    this.#open.close();
    this.#shared.abort(engineError('CLOSED', 'the registry client is closed'));
    this.#parts.agents.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #run<T>(options: RegistryCallOptions, work: (call: Call) => Promise<T>): Promise<T> {
    const auth = checkedAuth(options);
    using scope = this.#open.begin(options);
    return await work({ signal: scope.signal, auth });
  }
}

function checkedAuth({ auth }: RegistryCallOptions): Call['auth'] {
  if (auth === undefined || isRegistryAuth(auth)) return auth;
  // Without the value.
  throw engineError('BAD_OPTION', 'field auth is not { username, password }, { identityToken } or { registryToken }', {
    details: { field: 'auth' },
  });
}
