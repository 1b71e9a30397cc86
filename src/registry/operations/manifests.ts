import { createHash } from 'node:crypto';
import { EngineError, engineError, quote } from '../../errors/index.js';
import type { HttpAnswer } from '../http/http-client.js';
import { discardBody, readBody } from '../http/read-body.js';
import { badAnswer } from '../http/transport-error.js';
import { describeReference, isDigest, manifestName, type RegistryReference } from '../names.js';
import { parseJsonObject } from '../protocol/json-object.js';
import { parseLength } from '../protocol/ranges.js';
import type { Endpoint } from '../session/endpoints.js';
import { at, type Call, callerOf, type OperationDeps, originFor } from './deps.js';
import { bareType, isSchemaOne, isVagueType, MANIFEST_TYPES } from './media-types.js';

/** A manifest or index as the registry has it. @public */
export interface RegistryManifest {
  /** sha256 of the bytes. */
  readonly digest: string;
  /** What the registry says it is, or else what the document says; empty when neither does. */
  readonly mediaType: string;
  readonly bytes: Buffer;
}

/** What a registry tells of a manifest without giving it. @public */
export interface RegistryManifestInfo {
  readonly digest: string;
  readonly mediaType: string;
  readonly size: number;
}

export interface GetManifestOptions {
  /** Media types to ask for. */
  readonly accept?: readonly string[] | undefined;
  /** Nothing is fetched when the tag still has this digest. */
  readonly ifDigestIsNot?: string | undefined;
}

/**
 * Gets a manifest. By digest: from the mirrors first, the bytes must hash to it wherever they come from. By tag: a trusted
 * mirror's word counts; otherwise the registry itself says which digest the tag has, and mirrors may give the bytes.
 */
export async function getManifest(
  deps: OperationDeps,
  reference: RegistryReference,
  options: GetManifestOptions,
  call: Call,
): Promise<RegistryManifest | undefined> {
  const name = manifestName(reference);
  const { ifDigestIsNot, accept } = options;
  const isTag = !isDigest(name);
  if (ifDigestIsNot !== undefined) {
    if (!isTag && name === ifDigestIsNot) return undefined;
    if (isTag && (await headManifest(deps, reference, options, call))?.digest === ifDigestIsNot) return undefined;
  }
  const mirrors = deps.mirrorsOf(reference.registry);
  const origin = originFor(reference);
  let wanted = name;
  for (const mirror of isTag ? mirrors.filter((mirror) => mirror.isTrusted) : []) {
    const found = await unlessItFails(call, () => fetchManifest(deps, mirror, reference, name, accept, call));
    if (found !== undefined) return found;
  }
  const others = isTag ? mirrors.filter((mirror) => !mirror.isTrusted) : mirrors;
  if (isTag && others.length > 0) {
    const info = await headAt(deps, origin, reference, name, accept, call);
    if (info !== undefined) wanted = info.digest;
  }
  for (const mirror of isDigest(wanted) ? others : []) {
    const found = await unlessItFails(call, () => fetchManifest(deps, mirror, reference, wanted, accept, call));
    if (found !== undefined) return found;
  }
  return fetchManifest(deps, origin, reference, wanted, accept, call);
}

/** What the registry (or a trusted mirror, for a tag) has under a name; `undefined` when it has nothing. */
export async function headManifest(
  deps: OperationDeps,
  reference: RegistryReference,
  { accept }: Pick<GetManifestOptions, 'accept'>,
  call: Call,
): Promise<RegistryManifestInfo | undefined> {
  const name = manifestName(reference);
  for (const mirror of deps.mirrorsOf(reference.registry).filter((mirror) => mirror.isTrusted)) {
    const found = await unlessItFails(call, () => headAt(deps, mirror, reference, name, accept, call));
    if (found !== undefined) return found;
  }
  return headAt(deps, originFor(reference), reference, name, accept, call);
}

/** A mirror that fails is passed over, whatever its reason; only the call's own end is not. */
async function unlessItFails<T>(call: Call, ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (call.signal.aborted || !EngineError.is(error)) throw error;
    return undefined;
  }
}

async function headAt(
  deps: OperationDeps,
  endpoint: Endpoint,
  reference: RegistryReference,
  name: string,
  accept: readonly string[] | undefined,
  call: Call,
): Promise<RegistryManifestInfo | undefined> {
  const answer = await deps.session.send(
    endpoint,
    { ...requestFor(endpoint, reference, name, accept, call), method: 'HEAD', accepts: [200, 404, 405] },
    call.signal,
  );
  await discardBody(answer);
  if (answer.status === 404) return undefined;
  const digest = answer.headers['docker-content-digest'];
  const size = parseLength(answer.headers['content-length']);
  const mediaType = bareType(answer.headers['content-type']);
  if (answer.status === 200 && isDigest(digest) && size !== undefined && !isVagueType(mediaType)) {
    return { digest, mediaType, size };
  }
  // A registry that says less has to give the document.
  const found = await fetchManifest(deps, endpoint, reference, name, accept, call);
  return { digest: found.digest, mediaType: found.mediaType, size: found.bytes.length };
}

function requestFor(
  endpoint: Endpoint,
  reference: RegistryReference,
  name: string,
  accept: readonly string[] | undefined,
  call: Call,
) {
  const place = at(endpoint, reference.repository, 'pull');
  return {
    ...place,
    ...callerOf(endpoint, call),
    path: `${place.path}/manifests/${name}`,
    headers: { Accept: (accept ?? MANIFEST_TYPES).join(', ') },
    subject: { kind: 'manifest', name: describeReference(reference) },
  };
}

async function fetchManifest(
  deps: OperationDeps,
  endpoint: Endpoint,
  reference: RegistryReference,
  name: string,
  accept: readonly string[] | undefined,
  call: Call,
): Promise<RegistryManifest> {
  const { maxManifestBytes, idleTimeoutMs } = deps.session.limits;
  const request = { ...requestFor(endpoint, reference, name, accept, call), method: 'GET' as const, accepts: [200] };
  return deps.session.read(endpoint, request, call.signal, async (answer) => {
    const tooLong = () =>
      engineError(
        'BAD_MANIFEST',
        `manifest ${quote(describeReference(reference))} has more than ${maxManifestBytes} bytes`,
        {
          details: { reference: describeReference(reference), maxBytes: maxManifestBytes },
        },
      );
    if ((parseLength(answer.headers['content-length']) ?? 0) > maxManifestBytes) {
      answer.body.destroy();
      throw tooLong();
    }
    const limits = { maxBytes: maxManifestBytes, idleTimeoutMs, signal: call.signal, tooLong };
    return checkManifest(answer, await readBody(answer, limits), reference, name);
  });
}

function checkManifest(
  answer: HttpAnswer,
  bytes: Buffer,
  reference: RegistryReference,
  name: string,
): RegistryManifest {
  const header = bareType(answer.headers['content-type']);
  if (isSchemaOne(header)) {
    throw engineError('UNSUPPORTED_MEDIA_TYPE', `manifest ${quote(describeReference(reference))} is Docker schema 1`, {
      details: { document: describeReference(reference), mediaType: header },
    });
  }
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  const told = answer.headers['docker-content-digest'];
  const expected = isDigest(name) ? name : isDigest(told) ? told : digest;
  if (digest !== expected) {
    throw engineError('DIGEST_MISMATCH', `manifest ${quote(describeReference(reference))} has digest ${digest}`, {
      details: { expected, actual: digest, registry: answer.url.host },
    });
  }
  const own = typeOfDocument(bytes);
  if (own === undefined) throw badAnswer(answer.url, 'gave a manifest that is no JSON object', { contentType: header });
  return { digest, mediaType: isVagueType(header) ? own : header, bytes };
}

/** The mediaType field of a JSON object, empty without one; `undefined` for anything else. */
function typeOfDocument(bytes: Buffer): string | undefined {
  const value = parseJsonObject(bytes);
  if (value === undefined) return undefined;
  return typeof value['mediaType'] === 'string' ? value['mediaType'] : '';
}
