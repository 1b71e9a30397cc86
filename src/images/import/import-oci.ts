import { engineError, quote } from '../../errors/index.js';
import { type CallOptions, throwIfAborted } from '../../util/signals.js';
import { digestHex } from '../digest.js';
import {
  type Descriptor,
  DOCUMENT_LIMITS,
  type ImageIndex,
  type ImageManifest,
  parseManifestOrIndex,
} from '../documents.js';
import { parseImageConfig } from '../image-config.js';
import { isIndexType, isManifestType, MEDIA_TYPES } from '../media-types.js';
import { choosePlatform, formatPlatform, hostPlatform, platformRank } from '../platform.js';
import { parseReference, type Reference, withDefaultTag } from '../reference.js';
import type { Platform } from '../types.js';
import type { ImageFiles } from './image-files.js';
import { readVerified } from './read-verified.js';
import type { ImageToStore } from './store-image.js';

/** Which images of a source to take. */
export interface SelectOptions extends CallOptions {
  /** A name as the source has it, or a digest of its index; without it all. */
  readonly select?: string | undefined;
  /** Without it the host's, or what runs on it. */
  readonly platform?: Platform | undefined;
}

const NAME_ANNOTATIONS = ['io.containerd.image.name', 'org.opencontainers.image.ref.name'];

/** The images of an OCI layout: one for each name in its index, in the index's order. Nothing is stored. */
export function readOciLayout(files: ImageFiles, options: SelectOptions = {}): ImageToStore[] {
  const bytes = files.read('index.json', DOCUMENT_LIMITS.manifestBytes);
  const index = parseManifestOrIndex(bytes, undefined, 'index.json');
  if (index.kind !== 'index') {
    throw engineError('BAD_MANIFEST', 'index.json is a manifest, not an index', {
      details: { document: 'index.json', path: '' },
    });
  }
  const groups = groupByName(index.manifests);
  return select(groups, options.select, files.name).map((group) => {
    throwIfAborted(options.signal);
    const { descriptor, manifest, bytes: manifestBytes } = descend(files, group.entries, options, 0);
    return toImage(files, descriptor, manifest, manifestBytes, namesOf(group.entries), options);
  });
}

interface Group {
  readonly names: readonly string[];
  readonly entries: readonly Descriptor[];
}

/** Entries of one name are one image for several platforms; entries without a name belong together too. */
function groupByName(entries: readonly Descriptor[]): Group[] {
  const groups = new Map<string, { names: string[]; entries: Descriptor[] }>();
  for (const entry of entries) {
    if (!isIndexType(entry.mediaType) && !isManifestType(entry.mediaType)) continue;
    const names = NAME_ANNOTATIONS.flatMap((key) => entry.annotations.get(key) ?? []);
    const key = names[0] ?? '';
    const group = groups.get(key) ?? { names, entries: [] };
    group.entries.push(entry);
    groups.set(key, group);
  }
  return [...groups.values()];
}

function select(groups: readonly Group[], wanted: string | undefined, source: string): readonly Group[] {
  if (groups.length === 0) {
    throw engineError('BAD_MANIFEST', `image source ${quote(source)} has no images in its index`, {
      details: { document: 'index.json', path: 'manifests' },
    });
  }
  if (wanted === undefined) return groups;
  const found = groups.flatMap((group): Group[] => {
    if (group.names.includes(wanted)) return [group];
    const entries = group.entries.filter((entry) => entry.digest === wanted);
    return entries.length === 0 ? [] : [{ ...group, entries }];
  });
  if (found.length > 0) return found;
  throw engineError('IMAGE_NOT_FOUND', `image source ${quote(source)} has no image ${quote(wanted)}`, {
    details: { field: 'select', value: quote(wanted), names: groups.flatMap((group) => group.names) },
  });
}

/** Names that are full references; a bare tag, as many tools write it, names nothing outside its layout. */
function namesOf(entries: readonly Descriptor[]): Reference[] {
  for (const key of NAME_ANNOTATIONS) {
    const name = entries[0]?.annotations.get(key);
    if (name === undefined || !/[/:]/.test(name)) continue;
    try {
      const { digest: _, ...reference } = withDefaultTag(parseReference(name));
      if (reference.tag !== undefined) return [reference];
    } catch {
      // Annotations are anyone's text: one that is no reference is no name.
    }
  }
  return [];
}

interface Found {
  readonly descriptor: Descriptor;
  readonly manifest: ImageManifest;
  readonly bytes: Buffer;
}

/** Goes down nested indexes to the manifest that fits the platform best. */
function descend(files: ImageFiles, entries: readonly Descriptor[], options: SelectOptions, depth: number): Found {
  const wanted = options.platform ?? hostPlatform();
  const candidates = entries.filter(({ mediaType }) => isIndexType(mediaType) || isManifestType(mediaType));
  const chosen =
    candidates.length === 1 && candidates[0]?.platform === undefined
      ? candidates[0]
      : choosePlatform(candidates, wanted, options.platform === undefined);
  if (chosen === undefined) throw noPlatform(wanted, candidates);
  if (depth >= DOCUMENT_LIMITS.indexDepth) {
    throw engineError('BAD_MANIFEST', `image index ${chosen.digest} is nested more than ${depth} deep`, {
      details: { document: chosen.digest, path: 'manifests' },
    });
  }
  const bytes = readVerified(files, blobPath(chosen), chosen, DOCUMENT_LIMITS.manifestBytes);
  const document: ImageIndex | ImageManifest = parseManifestOrIndex(bytes, chosen.mediaType, chosen.digest);
  if (document.kind === 'index') return descend(files, document.manifests, options, depth + 1);
  return { descriptor: chosen, manifest: document, bytes };
}

function noPlatform(wanted: Platform, candidates: readonly Descriptor[]): Error {
  const platforms = candidates.flatMap(({ platform }) => (platform === undefined ? [] : [formatPlatform(platform)]));
  return engineError('NO_MATCHING_PLATFORM', `image has nothing for platform ${quote(formatPlatform(wanted))}`, {
    details: { wanted: formatPlatform(wanted), platforms },
  });
}

function toImage(
  files: ImageFiles,
  descriptor: Descriptor,
  manifest: ImageManifest,
  bytes: Buffer,
  references: readonly Reference[],
  options: SelectOptions,
): ImageToStore {
  const config = readVerified(files, blobPath(manifest.config), manifest.config, DOCUMENT_LIMITS.configBytes);
  assertPlatform(config, options.platform);
  return {
    manifest: { bytes, mediaType: descriptor.mediaType || MEDIA_TYPES.ociManifest },
    config: { bytes: config, mediaType: manifest.config.mediaType },
    layers: manifest.layers.map(({ digest, size, mediaType }) => ({
      digest,
      size,
      mediaType,
      open: (call) => files.open(blobPath({ digest }), call),
    })),
    references,
  };
}

/** What was asked for by name must be what the config says: an index entry may lie or be silent. */
function assertPlatform(config: Buffer, wanted: Platform | undefined): void {
  if (wanted === undefined) return;
  const { platform } = parseImageConfig(config);
  if (platformRank(wanted, platform) > 0) return;
  const found = formatPlatform(platform);
  throw engineError('NO_MATCHING_PLATFORM', `image is for ${quote(found)}, not for ${quote(formatPlatform(wanted))}`, {
    details: { wanted: formatPlatform(wanted), platforms: [found] },
  });
}

function blobPath({ digest }: Pick<Descriptor, 'digest'>): string {
  return `blobs/sha256/${digestHex(digest)}`;
}
