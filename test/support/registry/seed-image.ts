import { createHash } from 'node:crypto';

const sha256 = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** What was put into a registry. */
export interface SeededImage {
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
  readonly mediaType: string;
  readonly manifest: Buffer;
  readonly config: { readonly digest: string; readonly bytes: Buffer };
  readonly layers: readonly { readonly digest: string; readonly bytes: Buffer }[];
}

/** Puts a blob by two plain requests. `url`: of a registry without authentication or TLS. */
export async function seedBlob(url: string, repository: string, bytes: Uint8Array): Promise<string> {
  const digest = sha256(bytes);
  const start = await fetch(`${url}/v2/${repository}/blobs/uploads/`, { method: 'POST' });
  if (start.status !== 202) throw new Error(`upload was answered with ${start.status}: ${await start.text()}`);
  const place = new URL(start.headers.get('location') ?? '', url);
  place.searchParams.set('digest', digest);
  const headers = { 'Content-Type': 'application/octet-stream' };
  const end = await fetch(place, { method: 'PUT', headers, body: new Uint8Array(bytes) });
  if (end.status !== 201) throw new Error(`blob was answered with ${end.status}: ${await end.text()}`);
  return digest;
}

/** Puts a manifest of any kind under a tag or digest. */
export async function seedManifest(
  url: string,
  repository: string,
  reference: string,
  manifest: { readonly mediaType: string; readonly bytes: Uint8Array },
): Promise<string> {
  const response = await fetch(`${url}/v2/${repository}/manifests/${reference}`, {
    method: 'PUT',
    headers: { 'Content-Type': manifest.mediaType },
    body: new Uint8Array(manifest.bytes),
  });
  if (response.status !== 201)
    throw new Error(`manifest was answered with ${response.status}: ${await response.text()}`);
  return sha256(manifest.bytes);
}

/** Puts a small image whose layers are these bytes (they need not be archives). */
export async function seedImage(
  url: string,
  repository: string,
  tag: string,
  layers: readonly Uint8Array[] = [Buffer.from('layer')],
): Promise<SeededImage> {
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: {},
      rootfs: { type: 'layers', diff_ids: layers.map(sha256) },
    }),
  );
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: sha256(config), size: config.length },
      layers: layers.map((bytes) => ({
        mediaType: 'application/vnd.oci.image.layer.v1.tar',
        digest: sha256(bytes),
        size: bytes.length,
      })),
    }),
  );
  for (const bytes of [config, ...layers]) await seedBlob(url, repository, bytes);
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const digest = await seedManifest(url, repository, tag, { mediaType, bytes: manifest });
  return {
    repository,
    tag,
    digest,
    mediaType,
    manifest,
    config: { digest: sha256(config), bytes: config },
    layers: layers.map((bytes) => ({ digest: sha256(bytes), bytes: Buffer.from(bytes) })),
  };
}
