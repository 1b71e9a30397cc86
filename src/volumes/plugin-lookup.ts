import type { CallOptions } from '../util/signals.js';

/** How one call of a plugin is made. @public */
export interface PluginCallOptions extends CallOptions {
  /** For the whole call with its retries, milliseconds. */
  readonly timeoutMs?: number;
  /** How long failed connections are retried, milliseconds; 0: not at all. */
  readonly retryMs?: number;
  /** Longest answer, bytes. */
  readonly maxAnswerBytes?: number;
}

/** A plugin that can be called now. @public */
export interface PluginEndpoint {
  /** Full name, with its tag where it has one. */
  readonly name: string;
  /** Another text after the plugin was restarted, replaced or activated anew: then nothing learnt of it holds. */
  readonly generation: string;
  /**
   * One POST of JSON to `/<method>` (for example `VolumeDriver.Mount`); gives the parsed answer, unchecked. An answer's
   * `Err` field is the caller's business. Throws PLUGIN_CALL_FAILED (details.status for an HTTP status other than 200),
   * PLUGIN_UNREACHABLE, PLUGIN_BAD_ANSWER, PLUGIN_TIMEOUT, CANCELED.
   */
  call(method: string, body: unknown, options?: PluginCallOptions): Promise<unknown>;
  /** Host path of a path that the plugin names; the same path where it runs on the host itself. */
  hostPath(path: string): string;
}

/** Where volumes look for plugins: what a PluginStore offers, cut down to what is needed here. @public */
export interface PluginLookup {
  /**
   * The plugin of that name (with or without tag) that offers the capability, activated; `undefined` when there is none
   * for sure.
   */
  find(name: string, capability: string, call?: CallOptions): Promise<PluginEndpoint | undefined>;
  /** All that offer the capability; those that can't be reached are left out and reported. */
  list(
    capability: string,
    call?: CallOptions,
  ): Promise<{ readonly plugins: readonly PluginEndpoint[]; readonly problems: readonly PluginProblem[] }>;
  /** Keeps a managed plugin from being disabled while `holder` uses it. Idempotent for one holder. */
  hold?(name: string, capability: string, holder: string, call?: CallOptions): Promise<void>;
  /** The reverse; never fails for a plugin or holder that is gone. */
  release?(name: string, capability: string, holder: string): Promise<void>;
}

/** A plugin that is listed but could not be asked. @public */
export interface PluginProblem {
  /** Name of the plugin. */
  readonly name: string;
  /** Why it could not be asked. */
  readonly error: Error;
}
