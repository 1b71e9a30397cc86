import * as v from 'valibot';
import { engineError, quote } from '../errors/index.js';
import { isDigest } from './digest.js';
import { isConfigType, isIndexType, isLayerType, isManifestType, MEDIA_TYPES } from './media-types.js';
import type { Digest, Platform } from './types.js';

/** Size caps of documents, bytes and counts: all of them foreign data that we hold in memory. */
export const DOCUMENT_LIMITS = {
  manifestBytes: 4 * 1024 * 1024,
  configBytes: 8 * 1024 * 1024,
  layers: 512,
  indexEntries: 4096,
  indexDepth: 4,
  historyEntries: 4096,
} as const;

/** A content descriptor: what a document says about a blob it names. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly platform?: Platform | undefined;
  /** Where else the bytes are said to lie. */
  readonly urls: readonly string[];
  readonly annotations: ReadonlyMap<string, string>;
}

export interface ImageIndex {
  readonly kind: 'index';
  readonly mediaType: string;
  readonly manifests: readonly Descriptor[];
}

export interface ImageManifest {
  readonly kind: 'manifest';
  readonly mediaType: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly annotations: ReadonlyMap<string, string>;
}

/** A map of foreign keys to strings; Go tools write an empty one as null. */
export const stringMap = v.pipe(
  v.nullish(v.custom<Record<string, unknown>>(isPlainObject, 'not an object'), {}),
  v.transform((record) => new Map(Object.entries(record))),
  v.check((map) => [...map.values()].every((value) => typeof value === 'string'), 'not an object of strings'),
  v.transform((map) => map as ReadonlyMap<string, string>),
);

export function isPlainObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export const digestSchema = v.custom<Digest>(isDigest, 'not sha256:<64 hex digits>');
const sizeSchema = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const shortText = v.pipe(v.string(), v.maxLength(255));

const platformSchema = v.pipe(
  v.looseObject({ os: v.nullish(shortText), architecture: v.nullish(shortText), variant: v.nullish(shortText) }),
  v.transform((found): Platform | undefined => {
    if (!found.os || !found.architecture) return undefined;
    const platform = { os: found.os, architecture: found.architecture };
    return found.variant ? { ...platform, variant: found.variant } : platform;
  }),
);

const descriptorSchema = v.pipe(
  v.object({
    mediaType: shortText,
    digest: digestSchema,
    size: sizeSchema,
    platform: v.nullish(platformSchema),
    urls: v.nullish(v.array(v.string())),
    annotations: stringMap,
  }),
  v.transform((found): Descriptor => ({ ...found, platform: found.platform ?? undefined, urls: found.urls ?? [] })),
);

// Null lists: Go tools write them for empty ones. Absent ones are told apart below, by the kind of document.
const indexSchema = v.object({
  schemaVersion: v.literal(2),
  mediaType: v.optional(shortText),
  manifests: v.nullable(v.pipe(v.array(descriptorSchema), v.maxLength(DOCUMENT_LIMITS.indexEntries)), []),
});

const manifestSchema = v.object({
  schemaVersion: v.literal(2),
  mediaType: v.optional(shortText),
  config: descriptorSchema,
  layers: v.pipe(
    v.nullable(v.array(descriptorSchema), []),
    v.transform((layers) => layers ?? []),
    v.maxLength(DOCUMENT_LIMITS.layers),
  ),
  annotations: stringMap,
});

/** Bytes of a JSON document to a value; throws BAD_MANIFEST unless they are UTF-8 and JSON. */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (cause) {
    throw engineError('BAD_MANIFEST', `${what} is not JSON`, { details: { document: what }, cause });
  }
}

/** Checks a foreign value; throws BAD_MANIFEST with the path of the first field that is wrong. */
export function checkDocument<T>(schema: v.GenericSchema<unknown, T>, value: unknown, what: string): T {
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  const issue = result.issues[0];
  const path = v.getDotPath(issue) ?? '';
  throw engineError('BAD_MANIFEST', `${what}: field ${quote(path)} ${quote(issue.input)} is wrong (${issue.message})`, {
    details: { document: what, path, value: quote(issue.input), expected: issue.expected },
  });
}

/**
 * Reads a manifest or an index, OCI or Docker schema 2. `mediaType` is what the descriptor (or a registry) said it is.
 *
 * A document with the fields of both kinds, or whose own `mediaType` says something else than its descriptor, is refused:
 * two readers could take it for two images. Throws BAD_MANIFEST, UNSUPPORTED_MEDIA_TYPE.
 */
export function parseManifestOrIndex(
  bytes: Uint8Array,
  mediaType: string | undefined,
  what = 'manifest',
): ImageIndex | ImageManifest {
  const value = parseJson(bytes, what);
  if (!isPlainObject(value)) throw ambiguous(what, 'is not an object');
  const fields = value as Record<string, unknown>;
  const own = fields['mediaType'];
  if (own !== undefined && own !== '' && typeof own !== 'string')
    throw ambiguous(what, 'has a mediaType that is no text');
  if (own && mediaType && own !== mediaType) {
    throw ambiguous(what, `says mediaType ${quote(own)} but its descriptor says ${quote(mediaType)}`);
  }
  const type = (own as string | undefined) || mediaType || guessType(fields);
  if ((fields['schemaVersion'] === 1 && 'fsLayers' in fields) || /docker\.distribution\.manifest\.v1\+/.test(type)) {
    throw engineError(
      'UNSUPPORTED_MEDIA_TYPE',
      `${what} is a Docker schema 1 manifest, which has no verifiable layers`,
      {
        details: { document: what, mediaType: quote(type) },
      },
    );
  }
  if (!isIndexType(type) && !isManifestType(type)) {
    throw engineError('UNSUPPORTED_MEDIA_TYPE', `${what} has media type ${quote(type)}`, {
      details: { document: what, mediaType: quote(type) },
    });
  }
  const hasIndexFields = 'manifests' in fields;
  const hasManifestFields = 'layers' in fields || 'config' in fields || 'fsLayers' in fields;
  if (hasIndexFields && hasManifestFields) throw ambiguous(what, 'is an index and a manifest at once');
  if (isIndexType(type)) {
    if (!hasIndexFields) throw ambiguous(what, 'is an index without manifests');
    return { kind: 'index', mediaType: type, manifests: checkDocument(indexSchema, value, what).manifests ?? [] };
  }
  const { config, layers, annotations } = checkDocument(manifestSchema, value, what);
  if (!isConfigType(config.mediaType)) {
    throw engineError(
      'UNSUPPORTED_MEDIA_TYPE',
      `${what}: config has media type ${quote(config.mediaType)}, so it is no container image`,
      {
        details: { document: what, mediaType: quote(config.mediaType) },
      },
    );
  }
  const foreign = layers.find((layer) => !isLayerType(layer.mediaType));
  if (foreign !== undefined) {
    throw engineError(
      'UNSUPPORTED_MEDIA_TYPE',
      `${what}: layer ${foreign.digest} has media type ${quote(foreign.mediaType)}`,
      {
        details: { document: what, mediaType: quote(foreign.mediaType), digest: foreign.digest },
      },
    );
  }
  return { kind: 'manifest', mediaType: type, config, layers, annotations };
}

function guessType(fields: Record<string, unknown>): string {
  return 'manifests' in fields ? MEDIA_TYPES.ociIndex : MEDIA_TYPES.ociManifest;
}

function ambiguous(what: string, problem: string): Error {
  return engineError('BAD_MANIFEST', `${what} ${problem}`, { details: { document: what, path: '' } });
}
