import { engineError, quote } from '../errors/index.js';

/** A repository of a registry. @public */
export interface RegistryRepository {
  /** Host with optional port; `docker.io` for Docker Hub. */
  readonly registry: string;
  /** Path in the registry: `library/alpine`. */
  readonly repository: string;
}

/** A manifest in a repository: where both are given, the digest counts. @public */
export interface RegistryReference extends RegistryRepository {
  /** `latest` where there is neither tag nor digest. */
  readonly tag?: string | undefined;
  /** `sha256:` and 64 hex digits. */
  readonly digest?: string | undefined;
}

const HOST_PART = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const HOST = new RegExp(`^(?:${HOST_PART}(?:\\.${HOST_PART})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]{1,5})?$`);
const PATH_PART = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const PATH = new RegExp(`^${PATH_PART}(?:/${PATH_PART})*$`);
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}$/;
const DIGEST = /^sha256:[a-f0-9]{64}$/;

export function isRegistryHost(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 260 && HOST.test(value);
}

export function isTag(value: unknown): value is string {
  return typeof value === 'string' && TAG.test(value);
}

export function isDigest(value: unknown): value is string {
  return typeof value === 'string' && DIGEST.test(value);
}

/** Throws BAD_DIGEST unless it is one: a digest becomes part of a path. */
export function checkDigest(value: unknown): string {
  if (isDigest(value)) return value;
  throw engineError('BAD_DIGEST', `digest ${quote(value)} is not a sha256 digest`, {
    details: { field: 'digest', value: quote(value) },
  });
}

/** Throws BAD_REFERENCE unless host and path are by the grammar: both become parts of a URL. */
export function checkRepository({ registry, repository }: RegistryRepository): void {
  if (!isRegistryHost(registry)) throw badName('registry', registry);
  if (typeof repository !== 'string' || repository.length > 255 || !PATH.test(repository)) {
    throw badName('repository', repository);
  }
}

/** The checked last part of a manifest's path. Throws BAD_REFERENCE, BAD_DIGEST. */
export function manifestName(reference: RegistryReference): string {
  checkRepository(reference);
  if (reference.digest !== undefined) return checkDigest(reference.digest);
  const tag = reference.tag ?? 'latest';
  if (!isTag(tag)) throw badName('tag', tag);
  return tag;
}

/** How a reference stands in a message. */
export function describeReference(reference: RegistryReference): string {
  const { registry, repository, digest, tag } = reference;
  return `${registry}/${repository}${digest === undefined ? `:${tag ?? 'latest'}` : `@${digest}`}`;
}

function badName(field: string, value: unknown): Error {
  return engineError('BAD_REFERENCE', `${field} ${quote(value)} is malformed`, {
    details: { field, value: quote(value) },
  });
}
