import { createHash } from 'node:crypto';
import { engineError, quote } from '../../errors/index.js';
import { discardBody } from '../http/read-body.js';
import { describeReference, isDigest, manifestName, type RegistryReference } from '../names.js';
import { at, type Call, type OperationDeps, originFor } from './deps.js';

/** A manifest to store. @public */
export interface ManifestToPut {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/** What the registry made of it. @public */
export interface PutManifestResult {
  readonly digest: string;
  /** The registry has noted the manifest's `subject`, so `referrers` finds it. */
  readonly hasNotedSubject: boolean;
}

/** Stores a manifest under a tag or its digest; idempotent. Throws DIGEST_MISMATCH when it is not what the digest says. */
export async function putManifest(
  deps: OperationDeps,
  reference: RegistryReference,
  manifest: ManifestToPut,
  call: Call,
): Promise<PutManifestResult> {
  const name = manifestName(reference);
  const digest = `sha256:${createHash('sha256').update(manifest.bytes).digest('hex')}`;
  if (isDigest(name) && name !== digest) throw mismatch(reference, name, digest);
  if (!/^[\x21-\x7e]{1,255}$/.test(manifest.mediaType)) {
    throw engineError('BAD_OPTION', `field mediaType ${quote(manifest.mediaType)} is malformed`, {
      details: { field: 'mediaType', value: quote(manifest.mediaType) },
    });
  }
  const origin = originFor(reference);
  const place = at(origin, reference.repository, 'pull', 'push');
  const answer = await deps.session.send(
    origin,
    {
      ...place,
      method: 'PUT',
      path: `${place.path}/manifests/${name}`,
      headers: { 'Content-Type': manifest.mediaType, 'Content-Length': String(manifest.bytes.length) },
      body: () => manifest.bytes,
      auth: call.auth,
      accepts: [201, 200],
      subject: { kind: 'manifest', name: describeReference(reference) },
    },
    call.signal,
  );
  await discardBody(answer);
  const told = answer.headers['docker-content-digest'];
  if (isDigest(told) && told !== digest) throw mismatch(reference, digest, told);
  return { digest, hasNotedSubject: answer.headers['oci-subject'] !== undefined };
}

/** Deletes a manifest by digest, or a tag where the registry can. Throws REGISTRY_NOT_FOUND, REGISTRY_UNSUPPORTED. */
export async function deleteManifest(deps: OperationDeps, reference: RegistryReference, call: Call): Promise<void> {
  const name = manifestName(reference);
  const origin = originFor(reference);
  const place = at(origin, reference.repository, 'delete');
  const answer = await deps.session.send(
    origin,
    {
      ...place,
      method: 'DELETE',
      path: `${place.path}/manifests/${name}`,
      auth: call.auth,
      accepts: [202, 200, 204],
      subject: { kind: 'manifest', name: describeReference(reference) },
    },
    call.signal,
  );
  await discardBody(answer);
}

function mismatch(reference: RegistryReference, expected: string, actual: string): Error {
  return engineError(
    'DIGEST_MISMATCH',
    `manifest ${quote(describeReference(reference))} has digest ${quote(actual)} instead of ${expected}`,
    { details: { expected, actual } },
  );
}
