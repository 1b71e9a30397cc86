export type { DefaultUlimit, EngineOptions, IdMapOptions, RuntimeOptions } from './engine-options.js';
export { resolveConfig } from './resolve-config.js';
export type { ConfiguredRuntime, IdRange, ResolvedConfig, ResolvedIdMaps } from './resolved-config.js';
