import { EngineError, type ErrorDetails, engineError, quote, REASONS, type Reason } from '../../errors/index.js';
import type { DriverMethod } from './limits.js';

/** What a driver was asked, for errors. */
export interface DriverCall {
  readonly driver: string;
  readonly method: DriverMethod;
  readonly volume?: string | undefined;
}

/** Errors of the system that say that nobody answers, as drivers throw them that talk to a server themselves. */
const SILENT_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'ENOTCONN',
  'EPIPE',
  'ETIMEDOUT',
]);

/** `driver "x": mount of volume "v"`: how all messages about a driver's call begin. */
export function describeCall({ driver, method, volume }: DriverCall): string {
  if (method === 'find') return `the search for driver ${quote(driver)}`;
  return `driver ${quote(driver)}: ${method}${volume === undefined ? '' : ` of volume ${quote(volume)}`}`;
}

export function callDetails(call: DriverCall): ErrorDetails {
  return { driver: call.driver, method: call.method, ...(call.volume !== undefined && { volume: call.volume }) };
}

/** What a driver answered breaks the rules. */
export function badAnswer(call: DriverCall, what: string, cause?: unknown): EngineError {
  return engineError('DRIVER_BAD_ANSWER', `${describeCall(call)} was answered with ${what}`, {
    details: callDetails(call),
    cause,
  });
}

export function timedOut(call: DriverCall, deadlineMs: number): EngineError {
  return engineError('DRIVER_TIMEOUT', `${describeCall(call)} got no answer within ${deadlineMs} ms`, {
    details: { ...callDetails(call), deadlineMs },
  });
}

/**
 * The error to throw for what came out of a driver. Errors that are typed already go through: they name field and
 * remedy better than anything that could be said here. What a plugin call threw gets the driver's name and method.
 */
export function toDriverError(call: DriverCall, error: unknown): EngineError {
  if (EngineError.is(error)) return error.reason.startsWith('PLUGIN_') ? fromPlugin(call, error) : error;
  const words = error instanceof Error ? error.message || error.name : error;
  const errno = (error as { code?: unknown } | null | undefined)?.code;
  const isSilent = typeof errno === 'string' && SILENT_CODES.has(errno);
  return engineError(
    isSilent ? 'DRIVER_UNREACHABLE' : 'DRIVER_FAILED',
    `${describeCall(call)} failed with ${quote(words, 500)}`,
    { details: { ...callDetails(call), ...(isSilent && { errno }) }, cause: error },
  );
}

function fromPlugin(call: DriverCall, error: EngineError): EngineError {
  const options = { details: { ...error.details, ...callDetails(call) }, cause: error };
  const what = `${describeCall(call)} failed: ${quote(pluginWords(error) ?? withoutRemedy(error), 500)}`;
  if (error.reason === 'PLUGIN_TIMEOUT') return engineError('DRIVER_TIMEOUT', what, options);
  if (error.reason === 'PLUGIN_BAD_ANSWER') return engineError('DRIVER_BAD_ANSWER', what, options);
  if (error.reason === 'PLUGIN_CALL_FAILED') return engineError('DRIVER_FAILED', what, options);
  if (error.code === 'UNAVAILABLE') return engineError('DRIVER_UNREACHABLE', what, options);
  // Not a failure to talk: how the plugin is defined, or who owns its socket. The plugin's own remedy fits.
  return new EngineError(error.code, error.reason, `${describeCall(call)} failed: ${error.message}`, options);
}

/** The remedy of the driver's error is added to the message; one is enough. */
function withoutRemedy({ reason, message }: EngineError): string {
  const remedy = Object.hasOwn(REASONS, reason) ? `: ${REASONS[reason as Reason].remedy}` : undefined;
  return remedy !== undefined && message.endsWith(remedy) ? message.slice(0, -remedy.length) : message;
}

/** What a plugin itself said when it refused. */
export function pluginWords(error: EngineError): string | undefined {
  const { err, answer } = error.details;
  const words = typeof err === 'string' ? err : answer;
  return typeof words === 'string' && words !== '' ? words : undefined;
}

/** True when an error says that the driver was not there to answer, not that it refused. */
export function saysSilent(error: EngineError): boolean {
  return error.code === 'UNAVAILABLE' || error.code === 'DEADLINE_EXCEEDED';
}
