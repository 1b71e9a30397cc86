import { DOCUMENT_LIMITS, parseJson, parseManifestOrIndex } from '../documents.js';
import type { ImageFiles } from './image-files.js';
import { badSource } from './open-source.js';

/** What an image source may be. `dir` is what skopeo's `dir:` writes. @public */
export type ImageFormat = 'oci' | 'docker-archive' | 'dir' | 'rootfs';

const ROOT_DIRECTORIES = ['bin', 'sbin', 'lib', 'usr', 'etc', 'var', 'opt', 'root', 'home', 'dev', 'proc', 'app'];

/**
 * Tells what a source is. A new `docker save` is an OCI layout and a docker archive at once: the layout is taken when
 * it has the images' names, for it has their manifests. Throws BAD_SOURCE when it can't be told.
 */
export function chooseFormat(files: ImageFiles): ImageFormat {
  const isLayout = files.size('oci-layout') !== undefined && files.size('index.json') !== undefined;
  const hasManifest = files.size('manifest.json') !== undefined;
  if (isLayout && !(hasManifest && !layoutHasNames(files))) return 'oci';
  if (hasManifest) {
    const manifest = parseJson(files.read('manifest.json', DOCUMENT_LIMITS.manifestBytes), 'manifest.json');
    return Array.isArray(manifest) ? 'docker-archive' : 'dir';
  }
  const top = files.topLevel();
  if (ROOT_DIRECTORIES.some((name) => top.has(name))) return 'rootfs';
  throw badSource(files.name, 'is no image that can be told by its files; pass format if it is a root file system');
}

function layoutHasNames(files: ImageFiles): boolean {
  const index = parseManifestOrIndex(files.read('index.json', DOCUMENT_LIMITS.manifestBytes), undefined, 'index.json');
  return (
    index.kind === 'index' && index.manifests.some(({ annotations }) => annotations.has('io.containerd.image.name'))
  );
}
