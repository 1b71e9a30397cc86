import { EngineError, engineError, quote } from '../errors/index.js';
import { SAFE_NAME } from '../util/ids.js';
import { assertKnownOptions } from '../util/known-options.js';
import { nextTurn } from '../util/next-turn.js';
import { type CallOptions, throwIfAborted } from '../util/signals.js';
import { CallScope, type OpenCalls } from './call-scope.js';
import { connectPlugin } from './connect-plugin.js';
import {
  assertDuration,
  type LegacyPluginsOptions,
  type LegacySettings,
  resolveLegacyOptions,
} from './legacy-options.js';
import { LegacyPluginClient, type LegacyPluginClientDeps } from './legacy-plugin-client.js';
import { locatePlugin, scanPluginNames } from './locate-plugin.js';
import { ACTIVATE, MAX_MANIFEST_BYTES, readManifest } from './manifest.js';
import { PluginActivation } from './plugin-activation.js';
import type { PluginClient, PluginFailure, PluginList } from './plugin-client.js';
import type { PluginDefinition } from './plugin-definition.js';
import { postToPlugin } from './post-to-plugin.js';
import { retryConnect } from './retry-connect.js';

/** How one lookup is made. @public */
export interface PluginFindOptions extends CallOptions {
  /** Instead of the `retryMs` of opening. */
  readonly retryMs?: number;
}

/**
 * Plugins that somebody else runs and Docker's rules find: HTTP servers behind a socket in a socket directory, or at an
 * address that a file in a spec directory names. They are activated when they are first looked up and again when they
 * may have restarted; nothing is kept on disk, and no connection is kept open.
 *
 * Plugins don't wait for each other: there is no lock, and a handshake is shared only by those who want the same plugin.
 *
 * @public
 */
export class LegacyPlugins implements AsyncDisposable {
  readonly #settings: LegacySettings;
  readonly #activations = new Map<string, PluginActivation>();
  readonly #openCalls: OpenCalls = new Set();
  readonly #deps: LegacyPluginClientDeps;
  #closed = false;

  private constructor(settings: LegacySettings) {
    this.#settings = settings;
    this.#deps = {
      settings,
      locate: (name) => this.#locate(name),
      activation: (name) => this.#activation(name),
      openScope: (call, timeoutMs, what) => this.#openScope(call, timeoutMs, what),
    };
  }

  /** Contacts nothing and reads nothing; directories may be made later. Throws BAD_OPTION, UNKNOWN_OPTION. */
  static async open(options: LegacyPluginsOptions = {}): Promise<LegacyPlugins> {
    const settings = resolveLegacyOptions(options);
    throwIfAborted(options.signal);
    return new LegacyPlugins(settings);
  }

  /**
   * The plugin of that name that offers the capability (`VolumeDriver`, in this case of letters), activated. `x` and
   * `x:latest` are the same; `undefined` when there is no definition of that name or its manifest lacks the capability.
   *
   * Throws PLUGIN_UNREACHABLE after the retries, PLUGIN_TIMEOUT, PLUGIN_CALL_FAILED, PLUGIN_BAD_ANSWER,
   * PLUGIN_TLS_FAILED, PLUGIN_BAD_DEFINITION, PLUGIN_UNTRUSTED, CANCELED, CLOSED.
   */
  async find(name: string, capability: string, call: PluginFindOptions = {}): Promise<PluginClient | undefined> {
    this.#assertOpen();
    throwIfAborted(call.signal);
    assertKnownOptions(call, { signal: true, retryMs: true });
    assertText('name', name);
    assertText('capability', capability);
    const { retryMs = this.#settings.retryMs } = call;
    assertDuration('retryMs', retryMs, 0);
    const stem = name.replace(/:latest$/, '');
    // Names of another form are those of managed plugins.
    if (!SAFE_NAME.test(stem)) return undefined;
    const limitMs = Math.min(retryMs + this.#settings.activationTimeoutMs, 2 ** 31 - 1);
    using scope = this.#openScope(call, limitMs, `${stem} could not be activated`);
    return await retryConnect(() => this.#findNow(stem, capability, scope.signal), {
      signal: scope.signal,
      windowMs: retryMs,
      delaysMs: this.#settings.retryDelaysMs,
    });
  }

  /**
   * All plugins of the directories that offer the capability, by name. They are asked at the same time and once; those
   * that can't be asked are in `problems`. Throws CANCELED, CLOSED.
   */
  async list(capability: string, call: CallOptions = {}): Promise<PluginList> {
    this.#assertOpen();
    assertKnownOptions(call, { signal: true });
    assertText('capability', capability);
    throwIfAborted(call.signal);
    const { names, problems: unreadable } = scanPluginNames(this.#settings);
    const found = await Promise.all(
      names.map(async (name): Promise<PluginClient | PluginFailure | undefined> => {
        try {
          return await this.find(name, capability, { ...call, retryMs: 0 });
        } catch (error) {
          return { name, error: error as Error };
        }
      }),
    );
    throwIfAborted(call.signal);
    this.#assertOpen();
    const plugins: PluginClient[] = [];
    const problems = [...unreadable];
    for (const entry of found) {
      if (entry === undefined) continue;
      if ('error' in entry) problems.push(entry);
      else plugins.push(entry);
    }
    return { plugins, problems };
  }

  /** Ends the calls in flight with CLOSED, and leaves no socket or timer. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const controller of this.#openCalls) controller.abort(closed());
    this.#activations.clear();
    // Handles close at the end of a turn.
    await nextTurn();
    await nextTurn();
  }
  /** Closes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #findNow(name: string, capability: string, signal: AbortSignal): Promise<PluginClient | undefined> {
    const definition = this.#locate(name);
    if (definition === undefined) {
      this.#activations.delete(name);
      return undefined;
    }
    const active = await this.#activation(name).ensure(definition, { signal, maxAgeMs: this.#settings.recheckMs });
    return active.capabilities.includes(capability)
      ? new LegacyPluginClient(this.#deps, active, capability)
      : undefined;
  }

  #locate(name: string): PluginDefinition | undefined {
    try {
      return locatePlugin(this.#settings, name);
    } catch (cause) {
      if (EngineError.is(cause)) throw cause;
      throw engineError('PLUGIN_BAD_DEFINITION', `plugin ${quote(name)} can't be looked up`, {
        details: { plugin: name, path: (cause as { path?: string }).path ?? '' },
        cause,
      });
    }
  }

  #activation(name: string): PluginActivation {
    let activation = this.#activations.get(name);
    if (activation === undefined) {
      activation = new PluginActivation({ handshake: (definition, call) => this.#handshake(definition, call) });
      this.#activations.set(name, activation);
    }
    return activation;
  }

  async #handshake(
    definition: PluginDefinition,
    call: { readonly signal: AbortSignal; readonly isRecheck: boolean },
  ): Promise<readonly string[]> {
    const { activationTimeoutMs, connectTimeoutMs } = this.#settings;
    // A plugin that serves one at a time may be at work: who looks it up again need not wait for that.
    const limitMs = call.isRecheck ? Math.min(activationTimeoutMs, 1_000) : activationTimeoutMs;
    using scope = this.#openScope(call, limitMs, `${definition.name} did not answer ${ACTIVATE}`);
    const { signal } = scope;
    const socket = await connectPlugin(definition, { signal, connectTimeoutMs });
    const request = { method: ACTIVATE, body: Buffer.alloc(0), maxAnswerBytes: MAX_MANIFEST_BYTES, signal };
    return readManifest(definition, await postToPlugin(definition, socket, request));
  }

  #openScope(call: CallOptions, timeoutMs: number, what: string): CallScope {
    this.#assertOpen();
    return new CallScope(call, {
      openCalls: this.#openCalls,
      timeoutMs,
      timeoutError: () =>
        engineError('PLUGIN_TIMEOUT', `plugin ${what} within ${timeoutMs} ms`, { details: { timeoutMs } }),
    });
  }

  #assertOpen(): void {
    if (this.#closed) throw closed();
  }
}

function assertText(field: string, value: unknown): void {
  if (typeof value === 'string' && value !== '') return;
  throw engineError('BAD_OPTION', `field ${field} ${quote(value)} is not a text`, {
    details: { field, value: quote(value) },
  });
}

function closed(): Error {
  return engineError('CLOSED', 'the plugins are closed');
}
