export { EngineError, type ErrorCode, type ErrorDetails } from './errors/index.js';
