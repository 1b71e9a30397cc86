export { type CliRuntimeDeps, createCliRuntime } from './cli-runtime.js';
export { classifyMessage, type FailedCall, runtimeError } from './runtime-error.js';
export { lastErrorMessage } from './runtime-log.js';
