import { Readable } from 'node:stream';
import { engineError, quote } from '../../errors/index.js';
import { discardBody } from '../http/read-body.js';
import { checkDigest, checkRepository, type RegistryRepository } from '../names.js';
import { parseLength } from '../protocol/ranges.js';
import { BlobConnector } from './blob-connector.js';
import { BlobStream } from './blob-stream.js';
import { at, type Call, type OperationDeps, originFor } from './deps.js';

export interface OpenBlobOptions {
  /** First byte that is wanted. @defaultValue 0 */
  readonly offset?: number | undefined;
  /** Size of the whole blob, where it is known: more or less is an error. */
  readonly size?: number | undefined;
  /** Ask the registry itself only: a mirror gave wrong bytes. */
  readonly skipMirrors?: boolean | undefined;
}

/** Opens a blob; `onClose` is called when its stream is over. The bytes are not verified: the caller hashes them. */
export async function openBlob(
  deps: OperationDeps,
  repository: RegistryRepository,
  digest: string,
  options: OpenBlobOptions,
  call: Call,
  onClose: () => void,
): Promise<Readable> {
  checkRepository(repository);
  checkDigest(digest);
  const { offset = 0, size } = options;
  for (const [field, value] of Object.entries({ offset, size })) {
    if (value !== undefined && (!Number.isSafeInteger(value) || value < 0)) throw badNumber(field, value);
  }
  if (size !== undefined && offset > size) throw badNumber('offset', offset);
  if (size !== undefined && offset === size && size > 0) {
    onClose();
    return Readable.from([]);
  }
  const mirrors = options.skipMirrors === true ? [] : deps.mirrorsOf(repository.registry);
  const endpoints = [...mirrors, originFor(repository)];
  const connector = new BlobConnector(deps, { repository, digest, size, endpoints }, call);
  const connection = await connector.connect(offset);
  const { limits } = deps.session;
  return new BlobStream({ connector, digest, offset, limits, signal: call.signal, onClose }, connection);
}

/** Size of a blob; `undefined` when the registry has none of this digest there. */
export async function headBlob(
  deps: OperationDeps,
  repository: RegistryRepository,
  digest: string,
  call: Call,
): Promise<{ digest: string; size: number | undefined } | undefined> {
  checkRepository(repository);
  checkDigest(digest);
  const origin = originFor(repository);
  const place = at(origin, repository.repository, 'pull');
  const answer = await deps.session.send(
    origin,
    {
      ...place,
      method: 'HEAD',
      path: `${place.path}/blobs/${digest}`,
      auth: call.auth,
      accepts: [200, 404],
      subject: { kind: 'blob', name: `${repository.registry}/${repository.repository}@${digest}` },
    },
    call.signal,
  );
  await discardBody(answer);
  if (answer.status === 404) return undefined;
  return { digest, size: parseLength(answer.headers['content-length']) };
}

function badNumber(field: string, value: unknown): Error {
  return engineError('BAD_OPTION', `field ${field} ${quote(value)} is not a number of bytes in the blob`, {
    details: { field, value: quote(value) },
  });
}
