export type { ErrorCode } from './codes.js';
export { EngineError, type ErrorDetails, engineError } from './engine-error.js';
export { escapeForeign, quote } from './escape.js';
export { REASONS, type Reason } from './reasons/index.js';
