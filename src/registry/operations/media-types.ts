/** Kinds of manifests that are asked for when the caller names none. */
export const MANIFEST_TYPES = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
] as const;

export const INDEX_TYPE = 'application/vnd.oci.image.index.v1+json';

/** Types that say nothing; the document itself is believed then. */
const VAGUE = new Set(['', 'application/json', 'application/octet-stream', 'text/plain', 'binary/octet-stream']);

/** A Content-Type without its parameters, in lower case; empty for none. */
export function bareType(header: string | undefined): string {
  return (header ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

export function isVagueType(type: string): boolean {
  return VAGUE.has(type);
}

/** Docker's first schema: its digest is not that of its bytes. */
export function isSchemaOne(type: string): boolean {
  return /^application\/vnd\.docker\.distribution\.manifest\.v1\+(?:json|prettyjws)$/.test(type);
}
