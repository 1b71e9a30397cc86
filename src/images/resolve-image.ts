import { statSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError } from '../errors/index.js';
import { chainIdsOf, digestHex } from './digest.js';
import { DOCUMENT_LIMITS } from './documents.js';
import { findImage, fullId, imageNotFound } from './find-image.js';
import { type ImageConfig, parseImageConfig } from './image-config.js';
import type { ImageDeps } from './image-deps.js';
import type { ImageRecord } from './image-record.js';
import { parseReference, type Reference, withDefaultTag } from './reference.js';
import { tagFile } from './tags.js';
import type { Digest, ResolvedImage } from './types.js';

export type ResolveDeps = Pick<ImageDeps, 'images' | 'tags' | 'content'>;

interface Cached {
  readonly image: ResolvedImage;
  /** The file whose change makes this stale, and how it looked. */
  readonly file: string;
  readonly stamp: string;
}

const MAX_CACHED = 256;

/**
 * Resolves references to what containers need, from memory while the tag's (or the record's) file is the same:
 * one stat, so a tag that another process moved is seen at once.
 */
export class ImageResolver {
  readonly #deps: ResolveDeps;
  readonly #byText = new Map<string, Cached>();

  constructor(deps: ResolveDeps) {
    this.#deps = deps;
  }

  resolve(text: string): ResolvedImage {
    const cached = this.#byText.get(text);
    if (cached !== undefined) {
      if (stampOf(cached.file) === cached.stamp) return cached.image;
      this.#byText.delete(text);
    }
    const file = this.#decidingFile(text);
    // The stamp is taken before the read: a change in between makes the entry stale, never wrongly fresh.
    const stamp = file === undefined ? undefined : stampOf(file);
    const record = findImage(this.#deps, text);
    if (record === undefined) throw imageNotFound(text);
    const image = resolvedImage(record, readConfig(this.#deps, record));
    if (file !== undefined && stamp !== undefined) this.#remember(text, { image, file, stamp });
    return image;
  }

  /** The file that alone decides what the text means; `undefined` for id prefixes and digests, which are looked up each time. */
  #decidingFile(text: string): string | undefined {
    const id = fullId(text);
    if (id !== undefined) return join(this.#deps.images.directory(digestHex(id)), 'record.json');
    let reference: Reference;
    try {
      reference = withDefaultTag(parseReference(text));
    } catch (error) {
      if (EngineError.is(error)) return undefined;
      throw error;
    }
    return reference.digest === undefined ? tagFile(this.#deps.tags, reference) : undefined;
  }

  #remember(text: string, cached: Cached): void {
    if (this.#byText.size >= MAX_CACHED) {
      const [oldest] = this.#byText.keys();
      if (oldest !== undefined) this.#byText.delete(oldest);
    }
    this.#byText.set(text, cached);
  }
}

/** Changes with every replacement of a file; `undefined` when there is none. */
function stampOf(path: string): string | undefined {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? undefined : `${stat.ino}:${stat.ctimeNs}:${stat.size}`;
}

/** The config of a stored image. Throws BLOB_NOT_FOUND, DIGEST_MISMATCH when the store was damaged. */
export function readConfig(deps: Pick<ImageDeps, 'content'>, record: ImageRecord): ImageConfig {
  return parseImageConfig(deps.content.readDocument(record.config, DOCUMENT_LIMITS.configBytes));
}

export function resolvedImage(record: ImageRecord, config: ImageConfig): ResolvedImage {
  return {
    id: record.id,
    manifestDigest: record.manifests[0]?.digest as Digest,
    platform: record.platform,
    config: config.run,
    diffIds: record.diffIds,
    chainId: chainIdsOf(record.diffIds).at(-1),
  };
}
