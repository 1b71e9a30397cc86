import { EngineError, engineError, quote } from '../errors/index.js';
import { errnoOf } from '../os/syscalls/index.js';

/** The typed error of a failed file-system step on a snapshot in `dir`; typed ones pass. */
export function fsError(doing: string, key: string, cause: unknown, dir?: string): EngineError {
  if (EngineError.is(cause)) return cause;
  const errno = errnoOf(cause);
  // A write to an open file does not say which file it was.
  const path = (cause as { path?: unknown } | null)?.path ?? dir;
  const where = typeof path === 'string' ? ` at ${quote(path)}` : '';
  const message = `${doing} snapshot ${quote(key)} failed with ${errno ?? 'an error'}${where}`;
  const options = { details: { key, errno, ...(typeof path === 'string' ? { path } : {}) }, cause };
  if (errno === 'ENOSPC' || errno === 'EDQUOT') return engineError('DISK_FULL', message, options);
  if (errno === 'EACCES' || errno === 'EPERM' || errno === 'EROFS')
    return engineError('NOT_PERMITTED', message, options);
  return engineError('SNAPSHOT_FAILED', message, options);
}
