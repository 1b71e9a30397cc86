/**
 * What a caller can do about an error. The set is closed: switch over it.
 *
 * - `INVALID_ARGUMENT`: fix the call.
 * - `NOT_FOUND` / `ALREADY_EXISTS`: the named thing is missing / is there.
 * - `CONFLICT`: change other state first (something is in use, an id is ambiguous).
 * - `FAILED_PRECONDITION`: the thing has the wrong status for this verb.
 * - `PERMISSION_DENIED` / `UNAUTHENTICATED`: the host or a registry refuses.
 * - `UNAVAILABLE`: retry later. `RESOURCE_EXHAUSTED`: free something first. `ABORTED`: retry the whole operation.
 * - `CANCELED` / `DEADLINE_EXCEEDED`: the caller's signal or a time limit ended it.
 * - `NOT_IMPLEMENTED`: use another driver, kernel or version.
 * - `DATA_LOSS`: a record or blob is corrupt.
 * - `INTERNAL`: a tool failed in a way we can't name; details carry argv, exit code and stderr.
 *
 * @public
 */
export type ErrorCode =
  | 'INVALID_ARGUMENT'
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'CONFLICT'
  | 'FAILED_PRECONDITION'
  | 'PERMISSION_DENIED'
  | 'UNAUTHENTICATED'
  | 'UNAVAILABLE'
  | 'RESOURCE_EXHAUSTED'
  | 'ABORTED'
  | 'CANCELED'
  | 'DEADLINE_EXCEEDED'
  | 'NOT_IMPLEMENTED'
  | 'DATA_LOSS'
  | 'INTERNAL';
