import { EngineError, engineError, quote } from '../../errors/index.js';
import { safeUrl } from '../secrets.js';

const TLS_CODE =
  /^(?:CERT_|CRL_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERR_TLS|ERR_SSL|ERR_OSSL|ERROR_IN_|EPROTO$|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH|ERR_CRYPTO)/;
const NO_TLS =
  /WRONG_VERSION_NUMBER|wrong version number|PACKET_LENGTH_TOO_LONG|packet length too long|UNEXPECTED_MESSAGE/;

const CLOSED = new Set(['ECONNRESET', 'EPIPE']);

/** Time limits of one exchange, as they are named in details.limit. */
export type LimitName = 'connectTimeoutMs' | 'headersTimeoutMs' | 'idleTimeoutMs';

/** What a failed connection or exchange means. An EngineError stays what it is. */
export function transportError(url: URL, error: unknown, wasReused = false): Error {
  if (EngineError.is(error)) return error;
  const { code = 'unknown', message = '' } = error as { code?: string; message?: string };
  const details = { url: safeUrl(url), registry: url.host, errno: code };
  const place = quote(safeUrl(url));
  if (code.startsWith('HPE_')) {
    return engineError('REGISTRY_BAD_ANSWER', `${place} does not speak HTTP (${code})`, { details, cause: error });
  }
  if (TLS_CODE.test(code)) {
    return engineError('REGISTRY_TLS_FAILED', `TLS to ${quote(url.host)} failed (${code})`, {
      details: { ...details, speaksTls: !NO_TLS.test(`${code} ${message}`) },
      cause: error,
    });
  }
  return engineError('REGISTRY_UNREACHABLE', `${place} can't be reached (${code})`, {
    details: { ...details, passing: true, ...(wasReused && CLOSED.has(code) && { stale: true }) },
    cause: error,
  });
}

/** The connection broke, or the body ended early: worth another try. */
export function brokenOff(url: URL, what: string): Error {
  return engineError('REGISTRY_UNREACHABLE', `${quote(safeUrl(url))} ${what}`, {
    details: { url: safeUrl(url), registry: url.host, passing: true },
  });
}

export function timedOut(url: URL, limit: LimitName, ms: number): Error {
  return engineError('REGISTRY_TIMEOUT', `${quote(safeUrl(url))} did not go on for ${ms} ms`, {
    details: { url: safeUrl(url), registry: url.host, limit, limitMs: ms, passing: true },
  });
}

/** True for a failure that may be over with the next try. */
export function isPassing(error: unknown): error is EngineError {
  return EngineError.is(error) && error.details['passing'] === true;
}

/** What came is not what the protocol has. */
export function badAnswer(url: URL, what: string, details: Readonly<Record<string, unknown>> = {}): Error {
  return engineError('REGISTRY_BAD_ANSWER', `${quote(safeUrl(url))} ${what}`, {
    details: { url: safeUrl(url), registry: url.host, ...details },
  });
}
