export type { LegacyPluginsOptions } from './legacy-options.js';
export { LegacyPlugins, type PluginFindOptions } from './legacy-plugins.js';
export type { PluginClient, PluginClientOptions, PluginFailure, PluginList } from './plugin-client.js';
