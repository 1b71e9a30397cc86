import type { ResolvedConfig } from '../config/index.js';
import type { RuntimeSource } from '../containers/deps.js';
import { EngineError, engineError, quote } from '../errors/index.js';
import { makePrivateDir, spawnChild } from '../os/index.js';
import { createCliRuntime, type OciRuntime, probeRuntime, type SealedBinary, sealRuntime } from '../runtime/index.js';
import type { CallOptions } from '../util/signals.js';

export interface RuntimeSourceDeps {
  readonly config: ResolvedConfig;
  readonly runDir: string;
  readonly cgroupMode: 'v1' | 'hybrid' | 'v2' | 'none';
}

/** Probes runtimes at first use and keeps them: the engine's one source of them. */
export class ConfiguredRuntimes implements RuntimeSource {
  readonly #deps: RuntimeSourceDeps;
  readonly #known = new Map<string, Promise<OciRuntime>>();

  readonly #sealed: SealedBinary[] = [];

  constructor(deps: RuntimeSourceDeps) {
    this.#deps = deps;
  }

  get(name: string | undefined, call: CallOptions = {}): Promise<OciRuntime> {
    const wanted = name ?? this.#deps.config.defaultRuntime;
    let runtime = this.#known.get(wanted);
    if (runtime === undefined) {
      runtime = wanted === 'auto' ? this.#choose(call) : this.#probe(wanted, call);
      this.#known.set(wanted, runtime);
      // A failure is not kept: the missing program may be installed meanwhile.
      runtime.catch(() => this.#known.delete(wanted));
    }
    return runtime;
  }

  /** Frees the copies of runtimes that are held in memory. */
  close(): void {
    for (const sealed of this.#sealed) sealed[Symbol.dispose]();
  }

  /** crun where it can run, because it starts twice as fast; else runc. */
  async #choose(call: CallOptions): Promise<OciRuntime> {
    try {
      return await this.get('crun', call);
    } catch (error) {
      if (!EngineError.is(error, 'FAILED_PRECONDITION')) throw error;
      return this.get('runc', call);
    }
  }

  async #probe(name: string, call: CallOptions): Promise<OciRuntime> {
    const { config, runDir, cgroupMode } = this.#deps;
    const configured = Object.hasOwn(config.runtimes, name) ? config.runtimes[name] : undefined;
    if (configured === undefined && name !== 'runc' && name !== 'crun') {
      const names = [...new Set(['runc', 'crun', ...Object.keys(config.runtimes)])];
      throw engineError('UNKNOWN_RUNTIME', `runtime ${quote(name)} is not configured; known are ${names.join(', ')}`, {
        details: { field: 'runtime', value: name, known: names },
      });
    }
    const spawner = { spawn: spawnChild };
    const binary = await probeRuntime(name, configured?.path ?? name, spawner, { ...call, cgroupMode });
    const root = configured?.root ?? `${runDir}/runtime/${name}`;
    makePrivateDir(root);
    const sealed = sealRuntime(binary);
    if (sealed !== undefined) this.#sealed.push(sealed);
    return createCliRuntime({ binary, root, spawner, ...(sealed && { sealedPath: () => sealed.path() }) });
  }
}
