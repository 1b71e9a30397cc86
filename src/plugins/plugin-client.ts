import type { CallOptions } from '../util/signals.js';

/** How one call of a plugin is made. @public */
export interface PluginClientOptions extends CallOptions {
  /** For the whole call with its retries, milliseconds. */
  readonly timeoutMs?: number;
  /** How long failed connections are retried, milliseconds; 0: not at all. */
  readonly retryMs?: number;
  /** Longest answer, bytes. */
  readonly maxAnswerBytes?: number;
}

/** A plugin that can be called now. @public */
export interface PluginClient {
  /** Without a tag: plugins in socket and spec directories have none. */
  readonly name: string;
  /**
   * Another text after the plugin was restarted, replaced or activated with another manifest: then nothing learnt of it
   * holds. Compare within one process only.
   */
  readonly generation: string;
  /** What its manifest says it implements. */
  readonly capabilities: readonly string[];
  /**
   * One POST of JSON (nothing for `undefined`) to `/<method>`; gives the parsed answer, unchecked.
   *
   * Goes to the plugin as it is now: one that was restarted is activated anew first. Only connections that could not be
   * made are retried, never a request that the plugin may have seen (details.sent).
   *
   * Throws PLUGIN_CALL_FAILED (details.status), PLUGIN_UNREACHABLE, PLUGIN_TLS_FAILED, PLUGIN_BAD_ANSWER,
   * PLUGIN_TIMEOUT, PLUGIN_LACKS_CAPABILITY, PLUGIN_BAD_DEFINITION, PLUGIN_UNTRUSTED, CANCELED, CLOSED.
   */
  call(method: string, body: unknown, options?: PluginClientOptions): Promise<unknown>;
  /** Host path of a path that the plugin names: the same, it runs on the host itself. */
  hostPath(path: string): string;
}

/** A plugin that is there but could not be asked. @public */
export interface PluginFailure {
  /** Name of the plugin, or path of a directory that can't be read. */
  readonly name: string;
  /** Why it could not be asked. */
  readonly error: Error;
}

/** What a list of plugins gives. @public */
export interface PluginList {
  /** Those that answered. */
  readonly plugins: readonly PluginClient[];
  /** Those that are there and did not answer. */
  readonly problems: readonly PluginFailure[];
}
