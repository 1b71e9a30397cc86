import { EngineError, engineError, quote } from '../errors/index.js';
import { assertKnownOptions } from '../util/known-options.js';
import type { CallScope } from './call-scope.js';
import { connectPlugin, unreachable } from './connect-plugin.js';
import { assertAnswerBytes, assertDuration, type LegacySettings } from './legacy-options.js';
import type { ActivePlugin, PluginActivation } from './plugin-activation.js';
import type { PluginClient, PluginClientOptions } from './plugin-client.js';
import type { PluginDefinition } from './plugin-definition.js';
import { postToPlugin } from './post-to-plugin.js';
import { retryConnect } from './retry-connect.js';

export interface LegacyPluginClientDeps {
  readonly settings: LegacySettings;
  /** Where the plugin is now. */
  readonly locate: (name: string) => PluginDefinition | undefined;
  readonly activation: (name: string) => PluginActivation;
  /** Throws CLOSED. */
  readonly openScope: (call: PluginClientOptions, timeoutMs: number, what: string) => CallScope;
}

const METHOD = /^[A-Za-z][A-Za-z0-9]*\.[A-Za-z][A-Za-z0-9]*$/;

/** A plugin of the socket and spec directories, as one lookup found it. */
export class LegacyPluginClient implements PluginClient {
  readonly name: string;
  readonly generation: string;
  readonly capabilities: readonly string[];
  readonly #deps: LegacyPluginClientDeps;
  readonly #capability: string;
  #definition: PluginDefinition;

  constructor(deps: LegacyPluginClientDeps, active: ActivePlugin, capability: string) {
    this.#deps = deps;
    this.#definition = active.definition;
    this.#capability = capability;
    this.name = active.definition.name;
    this.generation = active.generation;
    this.capabilities = active.capabilities;
  }

  hostPath(path: string): string {
    return path;
  }

  async call(method: string, body: unknown, options: PluginClientOptions = {}): Promise<unknown> {
    const { settings } = this.#deps;
    assertKnownOptions(options, { signal: true, timeoutMs: true, retryMs: true, maxAnswerBytes: true });
    const { timeoutMs = settings.callTimeoutMs, retryMs = settings.retryMs } = options;
    const { maxAnswerBytes = settings.maxAnswerBytes } = options;
    assertDuration('timeoutMs', timeoutMs, 1);
    assertDuration('retryMs', retryMs, 0);
    assertAnswerBytes(maxAnswerBytes);
    if (typeof method !== 'string' || !METHOD.test(method)) {
      throw engineError('BAD_OPTION', `field method ${quote(method)} is not <Service>.<Method>`, {
        details: { field: 'method', value: quote(method) },
      });
    }
    const bytes = body === undefined ? Buffer.alloc(0) : Buffer.from(`${JSON.stringify(body)}\n`);
    using scope = this.#deps.openScope(options, timeoutMs, `${this.name} did not answer ${method}`);
    const { signal } = scope;
    const attempt = () => this.#attempt({ method, body: bytes, maxAnswerBytes, signal });
    return await retryConnect(attempt, { signal, windowMs: retryMs, delaysMs: settings.retryDelaysMs });
  }

  async #attempt(request: {
    readonly method: string;
    readonly body: Buffer;
    readonly maxAnswerBytes: number;
    readonly signal: AbortSignal;
  }): Promise<unknown> {
    const { settings } = this.#deps;
    const { signal } = request;
    const definition = this.#deps.locate(this.name);
    // A plugin removes its socket when it ends, so a restart looks like this for a while.
    if (definition === undefined) throw unreachable(this.#definition, { code: 'ENOENT' });
    this.#definition = definition;
    const activation = this.#deps.activation(this.name);
    const active = await activation.ensure(definition, { signal, maxAgeMs: Number.POSITIVE_INFINITY });
    if (!active.capabilities.includes(this.#capability)) {
      throw engineError(
        'PLUGIN_LACKS_CAPABILITY',
        `plugin ${this.name} does not offer ${quote(this.#capability)} now`,
        {
          details: { plugin: this.name, capability: this.#capability, implements: active.capabilities },
        },
      );
    }
    try {
      const socket = await connectPlugin(definition, { signal, connectTimeoutMs: settings.connectTimeoutMs });
      return await postToPlugin(definition, socket, request);
    } catch (error) {
      if (EngineError.is(error, undefined, 'PLUGIN_UNREACHABLE')) activation.doubt(active.generation, 'restarted');
      else if (EngineError.is(error) && error.details['status'] === 404)
        activation.doubt(active.generation, 'manifest');
      throw error;
    }
  }
}
