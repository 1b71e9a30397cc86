import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { seedBlob, seedManifest } from './seed-image.js';

const sha256 = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** A real image that was put into a registry. */
export interface SeededLayers {
  readonly digest: string;
  readonly size: number;
  readonly mediaType: string;
  readonly layers: readonly { readonly digest: string; readonly size: number }[];
  readonly diffIds: readonly string[];
}

export interface SeedLayersOptions {
  readonly mediaType?: 'oci' | 'docker';
  readonly architecture?: string;
  /** Change the documents before they are put. */
  readonly config?: (config: Record<string, unknown>) => Record<string, unknown>;
  readonly manifest?: (manifest: Record<string, unknown>) => Record<string, unknown>;
  readonly labels?: Readonly<Record<string, string>>;
}

const TYPES = {
  oci: {
    manifest: 'application/vnd.oci.image.manifest.v1+json',
    config: 'application/vnd.oci.image.config.v1+json',
    layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  },
  docker: {
    manifest: 'application/vnd.docker.distribution.manifest.v2+json',
    config: 'application/vnd.docker.container.image.v1+json',
    layer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  },
} as const;

/** Puts an image of these layer archives, gzipped, under `tag`. */
export async function seedLayers(
  url: string,
  repository: string,
  tag: string,
  tars: readonly Uint8Array[],
  options: SeedLayersOptions = {},
): Promise<SeededLayers> {
  const types = TYPES[options.mediaType ?? 'oci'];
  const keep = (value: Record<string, unknown>) => value;
  const diffIds = tars.map(sha256);
  const config = Buffer.from(
    JSON.stringify(
      (options.config ?? keep)({
        architecture: options.architecture ?? 'amd64',
        os: 'linux',
        config: { Cmd: ['/x'], Labels: options.labels ?? {} },
        rootfs: { type: 'layers', diff_ids: diffIds },
      }),
    ),
  );
  const layers: { digest: string; size: number }[] = [];
  for (const tar of tars) {
    const bytes = gzipSync(tar, { level: 1 });
    layers.push({ digest: await seedBlob(url, repository, bytes), size: bytes.length });
  }
  const manifest = Buffer.from(
    JSON.stringify(
      (options.manifest ?? keep)({
        schemaVersion: 2,
        mediaType: types.manifest,
        config: { mediaType: types.config, digest: await seedBlob(url, repository, config), size: config.length },
        layers: layers.map((layer) => ({ mediaType: types.layer, ...layer })),
      }),
    ),
  );
  const digest = await seedManifest(url, repository, tag, { mediaType: types.manifest, bytes: manifest });
  return { digest, size: manifest.length, mediaType: types.manifest, layers, diffIds };
}
