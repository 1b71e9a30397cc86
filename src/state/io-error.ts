import { type EngineError, engineError, quote } from '../errors/index.js';
import { errnoOf } from '../os/syscalls/index.js';

/** The typed error of a failed file operation on `path`: DISK_FULL where that is the cause, else SYSCALL_FAILED. */
export function ioError(action: string, path: string, cause: unknown): EngineError {
  const errno = errnoOf(cause) ?? 'unknown';
  const full = errno === 'ENOSPC' || errno === 'EDQUOT';
  return engineError(full ? 'DISK_FULL' : 'SYSCALL_FAILED', `can't ${action} ${quote(path)}: ${errno}`, {
    details: { path, errno },
    cause,
  });
}
