import { EngineError, engineError, quote } from '../errors/index.js';

/** Gives an error of a file operation its reason; typed errors and what we can't name pass as they are. */
export function ioError(error: unknown, field: string, path: string): unknown {
  if (EngineError.is(error) || typeof error !== 'object' || error === null) return error;
  const { code } = error as NodeJS.ErrnoException;
  const details = { field, value: quote(path), errno: code };
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return engineError('DISK_FULL', `no space left for ${field} ${quote(path)}`, { details, cause: error });
  }
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return engineError('SOURCE_NOT_FOUND', `${field} ${quote(path)} does not exist`, { details, cause: error });
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return engineError('NOT_PERMITTED', `${field} ${quote(path)} may not be read or written`, {
      details,
      cause: error,
    });
  }
  return error;
}
