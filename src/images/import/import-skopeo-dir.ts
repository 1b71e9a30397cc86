import { engineError } from '../../errors/index.js';
import { digestHex } from '../digest.js';
import { DOCUMENT_LIMITS, parseManifestOrIndex } from '../documents.js';
import type { ImageFiles } from './image-files.js';
import { readVerified } from './read-verified.js';
import type { ImageToStore } from './store-image.js';

/** The image of a directory that skopeo's `dir:` transport wrote: a manifest beside blobs named by their hex digits. */
export function readSkopeoDir(files: ImageFiles): ImageToStore {
  const bytes = files.read('manifest.json', DOCUMENT_LIMITS.manifestBytes);
  const manifest = parseManifestOrIndex(bytes, undefined, 'manifest.json');
  if (manifest.kind === 'index') {
    throw engineError(
      'UNSUPPORTED_MEDIA_TYPE',
      'manifest.json is an index; the dir format with several images is not read',
      {
        details: { document: 'manifest.json', mediaType: manifest.mediaType },
      },
    );
  }
  const { config } = manifest;
  return {
    manifest: { bytes, mediaType: manifest.mediaType },
    config: {
      bytes: readVerified(files, digestHex(config.digest), config, DOCUMENT_LIMITS.configBytes),
      mediaType: config.mediaType,
    },
    layers: manifest.layers.map(({ digest, size, mediaType }) => ({
      digest,
      size,
      mediaType,
      open: (call) => files.open(digestHex(digest), call),
    })),
    references: [],
  };
}
