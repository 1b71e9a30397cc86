import * as v from 'valibot';
import { checkDocument, DOCUMENT_LIMITS, parseJson } from './documents.js';

/** One image of a `docker save` archive: paths inside the archive, still to be checked. */
export interface DockerArchiveEntry {
  readonly config: string;
  readonly repoTags: readonly string[];
  readonly layers: readonly string[];
}

const path = v.pipe(v.string(), v.minLength(1), v.maxLength(4096));

const schema = v.pipe(
  v.array(
    v.object({
      Config: path,
      RepoTags: v.nullish(v.array(v.pipe(v.string(), v.maxLength(1024))), []),
      Layers: v.nullish(v.pipe(v.array(path), v.maxLength(DOCUMENT_LIMITS.layers)), []),
    }),
  ),
  v.minLength(1),
  v.maxLength(DOCUMENT_LIMITS.indexEntries),
);

/** Reads the manifest.json of a `docker save` archive. Throws BAD_MANIFEST. */
export function parseDockerArchiveManifest(bytes: Uint8Array): readonly DockerArchiveEntry[] {
  return checkDocument(schema, parseJson(bytes, 'manifest.json'), 'manifest.json').map((entry) => ({
    config: entry.Config,
    repoTags: entry.RepoTags ?? [],
    layers: entry.Layers ?? [],
  }));
}
