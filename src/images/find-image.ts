import { EngineError, engineError, quote } from '../errors/index.js';
import { resolveIdPrefix } from '../state/index.js';
import { digestHex, isDigest } from './digest.js';
import type { ImageDeps } from './image-deps.js';
import type { ImageRecord } from './image-record.js';
import { parseReference, type Reference, repositoryName, withDefaultTag } from './reference.js';
import { findImageRecord, findTag, listTags } from './tags.js';
import type { Digest } from './types.js';

export type FindDeps = Pick<ImageDeps, 'images' | 'tags'>;

const ID_PREFIX = /^(?:sha256:)?([a-f0-9]{1,64})$/;

/**
 * The image that a text means, in Docker's order: a full id, a name with tag or digest, the start of an id.
 * Throws BAD_REFERENCE for what can be none of them, AMBIGUOUS_ID.
 */
export function findImage(deps: FindDeps, text: string): ImageRecord | undefined {
  const id = fullId(text);
  if (id !== undefined) return findImageRecord(deps.images, id);
  const prefix = typeof text === 'string' ? ID_PREFIX.exec(text)?.[1] : undefined;
  const reference = parseUnlessId(text, prefix);
  const named = reference === undefined ? undefined : findByName(deps, reference);
  if (named !== undefined || prefix === undefined) return named;
  const match = resolveIdPrefix(deps.images.ids(), prefix, 'image');
  return match === undefined ? undefined : deps.images.find(match);
}

/** `sha256:<hex>` or the 64 digits alone. */
export function fullId(text: string): Digest | undefined {
  if (isDigest(text)) return text;
  const prefixed = `sha256:${text}`;
  return isDigest(prefixed) ? prefixed : undefined;
}

function parseUnlessId(text: string, prefix: string | undefined): Reference | undefined {
  try {
    return withDefaultTag(parseReference(text));
  } catch (error) {
    if (prefix !== undefined && EngineError.is(error, 'INVALID_ARGUMENT')) return undefined;
    throw error;
  }
}

/** By a parsed name. With a digest the tag says nothing, as with Docker: the repository and the digest count. */
export function findByName(deps: FindDeps, reference: Reference): ImageRecord | undefined {
  const { digest } = reference;
  if (digest === undefined) {
    const tag = findTag(deps.tags, reference);
    return tag === undefined ? undefined : findImageRecord(deps.images, tag.imageId);
  }
  const repository = repositoryName(reference);
  const ids = new Set(
    listTags(deps.tags)
      .filter((tag) => tag.reference.startsWith(`${repository}:`) || tag.reference.startsWith(`${repository}@`))
      .map((tag) => tag.imageId),
  );
  for (const id of ids) {
    const record = deps.images.find(digestHex(id));
    if (record?.id === digest || record?.manifests.some((manifest) => manifest.digest === digest)) return record;
    if (record?.pulls?.some((pull) => pull.digest === digest && pull.repository === repository)) return record;
  }
  return undefined;
}

export function imageNotFound(reference: string): Error {
  return engineError('IMAGE_NOT_FOUND', `image ${quote(reference)} is not in the store`, {
    details: { field: 'reference', value: quote(reference) },
  });
}
