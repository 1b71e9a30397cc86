import { engineError, quote } from '../../errors/index.js';
import { throwIfAborted } from '../../util/signals.js';
import { type DockerArchiveEntry, parseDockerArchiveManifest } from '../docker-archive-manifest.js';
import { DOCUMENT_LIMITS } from '../documents.js';
import { fullId } from '../find-image.js';
import { parseImageConfig } from '../image-config.js';
import type { ImageDeps } from '../image-deps.js';
import { MEDIA_TYPES } from '../media-types.js';
import { compressionOf, requireLayerType } from '../plain-stream.js';
import { formatPlatform, platformRank } from '../platform.js';
import { familiarString, formatReference, parseReference, type Reference } from '../reference.js';
import type { ImageFiles } from './image-files.js';
import type { SelectOptions } from './import-oci.js';
import type { ImportSession } from './import-session.js';
import { makeManifest } from './make-manifest.js';
import type { ImageToStore, LayerToStore } from './store-image.js';

/**
 * The images of a `docker save` archive, new or old. Its layers have no digests: they are stored first, and each image
 * gets an OCI manifest of ours over them. With a platform given, images for others are left out.
 */
export async function readDockerArchive(
  deps: ImageDeps,
  session: ImportSession,
  files: ImageFiles,
  options: SelectOptions,
): Promise<ImageToStore[]> {
  const entries = parseDockerArchiveManifest(files.read('manifest.json', DOCUMENT_LIMITS.manifestBytes));
  const images: ImageToStore[] = [];
  for (const entry of selectEntries(entries, options.select, files.name)) {
    const config = files.read(entry.config, DOCUMENT_LIMITS.configBytes);
    const { platform, diffIds } = parseImageConfig(config, 'image config');
    if (options.platform !== undefined && platformRank(options.platform, platform) === 0) continue;
    if (diffIds.length !== entry.layers.length) {
      throw engineError(
        'BAD_MANIFEST',
        `image config has ${diffIds.length} diff ids for ${entry.layers.length} layers`,
        {
          details: { document: 'image config', path: 'rootfs.diff_ids' },
        },
      );
    }
    const layers: LayerToStore[] = [];
    for (const path of entry.layers) layers.push(await storeLayer(deps, session, files, path, options));
    const configDocument = { bytes: config, mediaType: MEDIA_TYPES.ociConfig };
    images.push({
      config: configDocument,
      manifest: makeManifest(configDocument, layers),
      layers,
      references: entry.references,
    });
  }
  if (images.length === 0) {
    const wanted = options.platform === undefined ? '' : formatPlatform(options.platform);
    throw engineError(
      'NO_MATCHING_PLATFORM',
      `archive ${quote(files.name)} has nothing for platform ${quote(wanted)}`,
      {
        details: { wanted },
      },
    );
  }
  return images;
}

interface CheckedEntry extends DockerArchiveEntry {
  readonly references: readonly Reference[];
}

/** All entries, their names checked before anything is stored; or the one that has the wanted name or config digest. */
function selectEntries(
  entries: readonly DockerArchiveEntry[],
  wanted: string | undefined,
  source: string,
): readonly CheckedEntry[] {
  const checked = entries.map((entry) => ({ ...entry, references: entry.repoTags.map(parseRepoTag) }));
  if (wanted === undefined) return checked;
  const names = (entry: CheckedEntry) => entry.references.flatMap((ref) => [familiarString(ref), formatReference(ref)]);
  const id = fullId(wanted)?.slice('sha256:'.length);
  const found = checked.filter(
    (entry) => names(entry).includes(wanted) || (id !== undefined && entry.config.includes(id)),
  );
  if (found.length === 1) return found;
  throw engineError('IMAGE_NOT_FOUND', `archive ${quote(source)} has no image ${quote(wanted)}`, {
    details: { field: 'select', value: quote(wanted), names: checked.flatMap(names) },
  });
}

function parseRepoTag(text: string): Reference {
  const reference = parseReference(text);
  if (reference.tag !== undefined && reference.digest === undefined) return reference;
  throw engineError('BAD_REFERENCE', `RepoTags entry ${quote(text)} is not a name with a tag`, {
    details: { field: 'RepoTags', value: quote(text) },
  });
}

async function storeLayer(
  deps: ImageDeps,
  session: ImportSession,
  files: ImageFiles,
  path: string,
  options: SelectOptions,
): Promise<LayerToStore> {
  throwIfAborted(options.signal);
  const { digest, size } = await deps.content.ingest(files.open(path, options), {
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    owner: session.owner,
    size: files.size(path),
    beforePublish: (found) => session.protect({ blobs: [found] }, options),
  });
  const mediaType = requireLayerType(compressionOf(deps.content.path(digest)), digest);
  return { digest, size, mediaType, open: () => deps.content.open(digest) };
}
