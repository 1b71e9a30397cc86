import { engineError } from '../errors/index.js';
import type { Containers } from './containers-facet.js';
import type { Container } from './durable/container.js';
import type { CreateContainerOptions } from './durable/create.js';
import type { EphemeralContainer, EphemeralContainerOptions } from './ephemeral/ephemeral-container.js';

/**
 * All that is made through a scope goes when it is disposed, in reverse order, also when a later step failed.
 * One failure does not stop the others; they are thrown together at the end.
 *
 * @public
 */
export class Scope implements AsyncDisposable {
  readonly #containers: Containers;
  #steps: (() => unknown)[] = [];

  /** @internal */
  constructor(containers: Containers) {
    this.#containers = containers;
  }

  /** A throwaway container that ends with the scope. */
  async ephemeral(options: EphemeralContainerOptions): Promise<EphemeralContainer> {
    const container = await this.#containers.ephemeral(options);
    this.defer(() => container[Symbol.asyncDispose]());
    return container;
  }

  /** A durable container that is removed with the scope. */
  async create(options: CreateContainerOptions): Promise<Container> {
    return this.#own(await this.#containers.create(options));
  }

  /** A started durable container that is removed with the scope. */
  async run(options: CreateContainerOptions): Promise<Container> {
    return this.#own(await this.#containers.run(options));
  }

  /** Runs `step` when the scope ends. */
  defer(step: () => unknown): void {
    this.#steps.push(step);
  }

  async [Symbol.asyncDispose](): Promise<void> {
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

  #own(container: Container): Container {
    this.defer(async () => {
      const found = await this.#containers.find(container.id);
      await found?.remove({ force: true });
    });
    return container;
  }
}
