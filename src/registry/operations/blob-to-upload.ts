import type { Readable } from 'node:stream';
import { EngineError } from '../../errors/index.js';
import { isPassing } from '../http/transport-error.js';

/** A blob to upload. @public */
export interface BlobToUpload {
  readonly digest: string;
  readonly size: number;
  /** Its bytes from an offset on; called again when a connection broke. */
  open(offset: number): Readable | Promise<Readable>;
}

/** Options of an upload. @public */
export interface UploadOptions {
  /** Repository of the same registry that may have the blob: it is linked then, and nothing is sent. */
  readonly mountFrom?: string | undefined;
  /** Send pieces of this size instead of one stream: for registries and proxies that limit the size of a request. */
  readonly chunkBytes?: number | undefined;
  /** Bytes that are on their way so far; goes back when a piece is sent again. */
  readonly onProgress?: ((sentBytes: number) => void) | undefined;
}

/** The upload as such was lost, or the registry has trouble that may pass. */
export function isWorthAnother(error: unknown): boolean {
  if (isPassing(error)) return true;
  if (!EngineError.is(error)) return false;
  const { reason, details } = error;
  if (reason === 'REGISTRY_UPLOAD_FAILED' || reason === 'REGISTRY_FAILED') return true;
  if (details['kind'] !== 'upload') return false;
  const codes = details['codes'];
  const isLost =
    Array.isArray(codes) && codes.some((code) => /^BLOB_UPLOAD_(?:INVALID|UNKNOWN)$|^RANGE_INVALID$/.test(code));
  return isLost || details['status'] === 404 || details['status'] === 416;
}
