import { EngineError } from '../errors/index.js';
import { newToken } from '../util/ids.js';
import { abortError, raceSignal } from '../util/signals.js';
import type { PluginDefinition } from './plugin-definition.js';

/** What is known of a plugin that answered the handshake. */
export interface ActivePlugin {
  readonly definition: PluginDefinition;
  readonly generation: string;
  readonly capabilities: readonly string[];
}

export interface ActivationDeps {
  /** One handshake, no retries; gives the manifest's list. Bounded in time by itself. */
  readonly handshake: (
    definition: PluginDefinition,
    call: { readonly signal: AbortSignal; readonly isRecheck: boolean },
  ) => Promise<readonly string[]>;
}

interface Running {
  readonly stamp: string;
  readonly promise: Promise<ActivePlugin>;
  readonly controller: AbortController;
  waiters: number;
}

/**
 * What one plugin said in its handshake, and when it must be asked again: its socket or definition file was made anew,
 * a connection to it failed or broke, or it answered 404 where it should have a method. Those who want it at the same
 * time share one handshake, which ends when all of them gave up. Nothing here waits for another plugin.
 */
export class PluginActivation {
  readonly #deps: ActivationDeps;
  readonly #id = newToken();
  #count = 0;
  #active: ActivePlugin | undefined;
  #askedAt = 0;
  /** `restarted`: what was learnt does not hold, even when the manifest is the same. */
  #doubt: 'none' | 'manifest' | 'restarted' = 'none';
  #running: Running | undefined;

  constructor(deps: ActivationDeps) {
    this.#deps = deps;
  }

  /** The plugin, activated as `definition` says it is now. `maxAgeMs`: asked again when that was longer ago. */
  async ensure(
    definition: PluginDefinition,
    options: { readonly signal: AbortSignal; readonly maxAgeMs: number },
  ): Promise<ActivePlugin> {
    const known = this.#active?.definition.stamp === definition.stamp && this.#doubt === 'none';
    if (known && performance.now() - this.#askedAt <= options.maxAgeMs) return this.#active as ActivePlugin;
    let running = this.#running;
    if (running?.stamp !== definition.stamp) running = this.#start(definition, known);
    running.waiters++;
    try {
      return await raceSignal(running.promise, options.signal);
    } finally {
      running.waiters--;
      if (running.waiters === 0) {
        // Without effect when it is done; the error is for nobody.
        running.controller.abort(options.signal.aborted ? abortError(options.signal) : undefined);
        if (this.#running === running) this.#running = undefined;
      }
    }
  }

  /** A call of that generation failed in a way that lets doubt what is known of the plugin. */
  doubt(generation: string, why: 'manifest' | 'restarted'): void {
    if (this.#active?.generation !== generation || this.#doubt === 'restarted') return;
    this.#doubt = why;
  }

  #start(definition: PluginDefinition, isRecheck: boolean): Running {
    const controller = new AbortController();
    const promise = this.#ask(definition, { signal: controller.signal, isRecheck });
    promise.catch(() => {});
    const running = { stamp: definition.stamp, promise, controller, waiters: 0 };
    this.#running = running;
    return running;
  }

  async #ask(
    definition: PluginDefinition,
    call: { readonly signal: AbortSignal; readonly isRecheck: boolean },
  ): Promise<ActivePlugin> {
    const before = this.#active;
    const doubt = this.#doubt;
    let capabilities: readonly string[];
    try {
      capabilities = await this.#deps.handshake(definition, call);
    } catch (error) {
      // It is down: when it is up again it is another process.
      if (EngineError.is(error, undefined, 'PLUGIN_UNREACHABLE') && this.#active === before) this.#doubt = 'restarted';
      // It is the same one and busy: what it said before stands.
      if (!call.isRecheck || !EngineError.is(error, undefined, 'PLUGIN_TIMEOUT') || before === undefined) throw error;
      if (this.#active === before) this.#askedAt = performance.now();
      return before;
    }
    const same =
      before?.definition.stamp === definition.stamp &&
      doubt !== 'restarted' &&
      before.capabilities.join() === capabilities.join();
    const active = {
      definition,
      generation: same ? before.generation : `${this.#id}.${++this.#count}`,
      capabilities,
    };
    // Not when another one that was located later is known meanwhile.
    if (this.#active === before) {
      this.#active = active;
      this.#askedAt = performance.now();
      if (this.#doubt === doubt) this.#doubt = 'none';
    }
    return active;
  }
}
