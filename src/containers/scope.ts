import { engineError } from '../errors/index.js';
import type { CreateVolumeOptions, Volume } from '../volumes/store/types.js';
import type { Containers } from './containers-facet.js';
import type { Container } from './durable/container.js';
import type { CreateContainerOptions } from './durable/create.js';
import type { EphemeralContainer, EphemeralContainerOptions } from './ephemeral/ephemeral-container.js';

/** Where a scope makes its volumes. */
interface ScopeVolumes {
  create(options: CreateVolumeOptions): Promise<Volume>;
  release(name: string, holder: string): Promise<void>;
  remove(name: string, options: { readonly force: true }): Promise<void>;
}

/**
 * All that is made through a scope goes when it is disposed, in reverse order, also when a later step failed.
 * One failure does not stop the others; they are thrown together at the end.
 *
 * @public
 */
export class Scope implements AsyncDisposable {
  readonly #containers: Containers;
  readonly #volumes: ScopeVolumes;
  readonly #steps: (() => unknown)[] = [];
  #closing: Promise<void> | undefined;

  private constructor(containers: Containers, volumes: ScopeVolumes) {
    this.#containers = containers;
    this.#volumes = volumes;
  }

  /** For the engine. @internal */
  static make(containers: Containers, volumes: ScopeVolumes): Scope {
    return new Scope(containers, volumes);
  }

  /** A throwaway container that ends with the scope. Throws as `containers.ephemeral`; CLOSED once the scope has ended. */
  async ephemeral(options: EphemeralContainerOptions): Promise<EphemeralContainer> {
    this.#assertOpen();
    const container = await this.#containers.ephemeral(options);
    await this.#keep(() => container.remove());
    return container;
  }

  /** A durable container that is removed with the scope, running or not. Throws as `containers.create`; CLOSED. */
  async create(options: CreateContainerOptions): Promise<Container> {
    this.#assertOpen();
    return this.#own(await this.#containers.create(options));
  }

  /** A started durable container that is removed with the scope. Throws as `containers.run`; CLOSED. */
  async run(options: CreateContainerOptions): Promise<Container> {
    this.#assertOpen();
    return this.#own(await this.#containers.run(options));
  }

  /**
   * A volume that is removed with the scope. Unlike `volumes.create` it never gives one that exists, unless `ifExists`
   * says so: that would be removed too. Throws VOLUME_EXISTS and as `volumes.create`; CLOSED.
   */
  async createVolume(options: CreateVolumeOptions = {}): Promise<Volume> {
    this.#assertOpen();
    const volume = await this.#volumes.create({ ifExists: 'error', ...options });
    await this.#keep(async () => {
      if (options.holder !== undefined) await this.#volumes.release(volume.name, options.holder.id);
      await this.#volumes.remove(volume.name, { force: true });
    });
    return volume;
  }

  /** Runs `step` when the scope ends, and waits for it. Throws CLOSED once it has ended. */
  defer(step: () => unknown): void {
    this.#assertOpen();
    this.#steps.push(step);
  }

  /**
   * Removes all that was made through the scope, the newest first. Idempotent. The first call throws
   * SCOPE_CLEANUP_FAILED when something could not be removed; the rest is gone all the same.
   */
  close(): Promise<void> {
    // What could not be removed is told once.
    if (this.#closing !== undefined) return this.#closing.catch(() => {});
    this.#closing = this.#removeAll();
    return this.#closing;
  }

  /** `close()` */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw engineError('CLOSED', 'the scope has ended');
  }

  /** What was still being made when the scope ended goes at once. */
  async #keep(step: () => unknown): Promise<void> {
    if (this.#closing === undefined) {
      this.#steps.push(step);
      return;
    }
    await step();
    this.#assertOpen();
  }

  async #removeAll(): Promise<void> {
    const failures: unknown[] = [];
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) {
      throw engineError('SCOPE_CLEANUP_FAILED', `${failures.length} of the scope's things could not be removed`, {
        details: { cleanup: failures.map(String) },
        cause: failures[0],
      });
    }
  }

  async #own(container: Container): Promise<Container> {
    await this.#keep(async () => {
      const found = await this.#containers.find(container.id);
      await found?.remove({ force: true });
    });
    return container;
  }
}
