export type { LegacyPluginsOptions } from './legacy-options.js';
export { LegacyPlugins, type PluginFindOptions } from './legacy-plugins.js';
export type { PluginCallOptions, PluginEndpoint, PluginList, PluginProblem } from './plugin-endpoint.js';
