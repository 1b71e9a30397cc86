import type { ErrorCode } from './codes.js';
import { escapeForeign } from './escape.js';
import { REASONS, type Reason } from './reasons/index.js';

const BRAND = Symbol.for('caisson.EngineError');

/** Facts that go with an error: plain JSON values, safe to log. @public */
export type ErrorDetails = Readonly<Record<string, unknown>>;

/**
 * The one error class of caisson. Tell errors apart by `code` (what you can do) and `reason` (what happened),
 * with `EngineError.is`, not `instanceof`: two copies of the package may be loaded.
 *
 * @public
 */
export class EngineError extends Error {
  /** Always `EngineError`. */
  override readonly name = 'EngineError';
  /** What the caller can do. */
  readonly code: ErrorCode;
  /** What happened; documented in docs/errors.md. */
  readonly reason: string;
  /** Facts: field, value, holders, argv… Secrets are redacted before they come here. */
  readonly details: ErrorDetails;

  constructor(
    code: ErrorCode,
    reason: string,
    message: string,
    options: { details?: ErrorDetails; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.reason = reason;
    this.details = options.details ?? {};
    Object.defineProperty(this, BRAND, { value: true });
  }

  /** True when `error` is an EngineError of any copy of the package, and has this code and reason where given. */
  static is(error: unknown, code?: ErrorCode, reason?: string): error is EngineError {
    if (typeof error !== 'object' || error === null || (error as Record<symbol, unknown>)[BRAND] !== true) return false;
    const candidate = error as EngineError;
    return (code === undefined || candidate.code === code) && (reason === undefined || candidate.reason === reason);
  }

  /** The persistable form. */
  toJSON(): { code: ErrorCode; reason: string; message: string; details: ErrorDetails } {
    return { code: this.code, reason: this.reason, message: this.message, details: this.details };
  }
}

/**
 * Makes the error of a listed reason. The message says what happened with field and value;
 * the reason's remedy is added to it. Foreign text must go through `quote()`.
 */
export function engineError(
  reason: Reason,
  message: string,
  options: { details?: ErrorDetails; cause?: unknown } = {},
): EngineError {
  const entry = REASONS[reason];
  return new EngineError(entry.code, reason, `${escapeForeign(message)}: ${entry.remedy}`, options);
}
