import { EngineError } from '../errors/index.js';

/** The exit status that `docker run` gives for an error of the engine: 127 not found, 126 not executable, else 125. */
export function exitCodeOf(error: unknown): number {
  if (EngineError.is(error, undefined, 'COMMAND_NOT_FOUND')) return 127;
  if (EngineError.is(error, undefined, 'COMMAND_NOT_EXECUTABLE')) return 126;
  return 125;
}

/** Adds that status to the details of a start error. */
export function withExitCode(error: Error): Error {
  if (!EngineError.is(error)) return error;
  return new EngineError(error.code, error.reason, error.message, {
    details: { ...error.details, exitCode: exitCodeOf(error) },
    cause: error.cause,
  });
}
