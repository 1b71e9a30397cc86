import { engineError, quote } from '../../errors/index.js';
import { checkDigest, checkRepository, type RegistryRepository } from '../names.js';
import { backoffMs, pause } from '../session/retry.js';
import { type BlobToUpload, isWorthAnother, type UploadOptions } from './blob-to-upload.js';
import { headBlob } from './blobs.js';
import type { Call, OperationDeps } from './deps.js';
import { startUpload, UploadSession } from './upload-session.js';

/** How a blob came into its repository. @public */
export type UploadOutcome = 'mounted' | 'uploaded';

/**
 * Uploads a blob; resolves when the registry has it under its digest. After a break it goes on where the registry says it
 * is, or from the start where that is lost. Throws REGISTRY_UPLOAD_FAILED, DIGEST_MISMATCH, SIZE_MISMATCH for bytes that
 * are not what was announced, and what a request throws.
 */
export async function uploadBlob(
  deps: OperationDeps,
  repository: RegistryRepository,
  blob: BlobToUpload,
  options: UploadOptions,
  call: Call,
): Promise<UploadOutcome> {
  checkUpload(repository, blob, options);
  const { limits } = deps.session;
  for (let attempt = 1; ; attempt++) {
    const start = await startUpload(deps, repository, { ...options, digest: blob.digest }, call);
    if (start === 'mounted') return 'mounted';
    const session = new UploadSession({ deps, repository, start, call });
    try {
      await session.send(blob, options);
      return 'uploaded';
    } catch (error) {
      if (call.signal.aborted || !isWorthAnother(error)) {
        await session.cancel();
        throw error;
      }
      // Its last word may have been lost on the way: the blob may be there.
      const found = await headBlob(deps, repository, blob.digest, call);
      if (found !== undefined && (found.size ?? blob.size) === blob.size) return 'uploaded';
      await session.cancel();
      if (attempt >= limits.attempts) throw error;
      await pause(backoffMs(attempt, limits), { signal: call.signal });
    }
  }
}

/** Links a blob of another repository of the same registry; false when the registry does not do that. */
export async function mountBlob(
  deps: OperationDeps,
  repository: RegistryRepository,
  digest: string,
  from: string,
  call: Call,
): Promise<boolean> {
  checkRepository(repository);
  checkRepository({ ...repository, repository: from });
  checkDigest(digest);
  const start = await startUpload(deps, repository, { digest, mountFrom: from }, call);
  if (start === 'mounted') return true;
  await new UploadSession({ deps, repository, start, call }).cancel();
  return false;
}

function checkUpload(repository: RegistryRepository, blob: BlobToUpload, options: UploadOptions): void {
  checkRepository(repository);
  checkDigest(blob.digest);
  if (options.mountFrom !== undefined) checkRepository({ ...repository, repository: options.mountFrom });
  const numbers = { size: blob.size, ...(options.chunkBytes !== undefined && { chunkBytes: options.chunkBytes }) };
  for (const [field, value] of Object.entries(numbers)) {
    if (Number.isSafeInteger(value) && value >= (field === 'size' ? 0 : 1)) continue;
    throw engineError('BAD_OPTION', `field ${field} ${quote(value)} is not a number of bytes`, {
      details: { field, value: quote(value) },
    });
  }
}
