import { EngineError, type ErrorCode, type ErrorDetails, engineError } from '../../errors/index.js';

/** An error as it goes from one thread to another. */
export interface ErrorMessage {
  /** Of our own errors only. */
  readonly typed?: { readonly code: ErrorCode; readonly reason: string; readonly details: ErrorDetails };
  readonly message: string;
}

export function toMessage(error: unknown): ErrorMessage {
  if (!EngineError.is(error))
    return { message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  const { code, reason, message, details } = error;
  // What can't be copied to another thread is no fact worth keeping.
  return { typed: { code, reason, details: JSON.parse(JSON.stringify(details)) as ErrorDetails }, message };
}

export function fromMessage({ typed, message }: ErrorMessage): EngineError {
  if (typed === undefined) return engineError('BUG', `unpacking a layer failed: ${message}`);
  return new EngineError(typed.code, typed.reason, message, { details: typed.details });
}
