import { cleanupSignal } from '../util/signals.js';
import type { ContainerDeps } from './deps.js';
import { Container } from './durable/container.js';
import { type CreateOptions, createContainer } from './durable/create.js';
import { type ContainerSummary, type ListOptions, listContainers } from './durable/list.js';
import { removeContainer } from './durable/remove.js';
import { startContainer } from './durable/start.js';
import { EphemeralContainer, type EphemeralOptions } from './ephemeral/ephemeral-container.js';

/** Containers of an engine. @public */
export class Containers {
  readonly #deps: ContainerDeps;

  /** @internal */
  constructor(deps: ContainerDeps) {
    this.#deps = deps;
  }

  /**
   * Starts a throwaway container: it lives until it is disposed, at the latest until this process ends, however that
   * happens. `await using box = await engine.containers.ephemeral({ image, command })`.
   */
  async ephemeral(options: EphemeralOptions): Promise<EphemeralContainer> {
    this.#deps.live.assertOpen();
    return EphemeralContainer.start(this.#deps, options);
  }

  /** Creates a durable container; start it with `container.start()`. It lives until it is removed. */
  async create(options: CreateOptions): Promise<Container> {
    return this.#deps.live.call(async () => this.#handle(await createContainer(this.#deps, options)));
  }

  /** Creates and starts a durable container. When the start fails it is removed again. */
  async run(options: CreateOptions): Promise<Container> {
    return this.#deps.live.call(async () => {
      const id = await createContainer(this.#deps, options);
      const container = this.#handle(id);
      try {
        await startContainer(this.#deps, id, options.signal === undefined ? {} : { signal: options.signal });
      } catch (error) {
        await removeContainer(this.#deps, id, { force: true, signal: cleanupSignal() });
        throw error;
      }
      return container;
    });
  }

  /** A durable container by id, name or unique id prefix. Throws CONTAINER_NOT_FOUND, AMBIGUOUS_ID. */
  async get(reference: string): Promise<Container> {
    this.#deps.live.assertOpen();
    return this.#handle(this.#deps.repository.resolve(reference));
  }

  /** Like `get`, but `undefined` for one that does not exist. */
  async find(reference: string): Promise<Container | undefined> {
    this.#deps.live.assertOpen();
    const id = this.#deps.repository.findId(reference);
    return id === undefined ? undefined : this.#handle(id);
  }

  /** Lists running containers, with `all` the others too; of all processes on the root. */
  async list(options: ListOptions = {}): Promise<ContainerSummary[]> {
    this.#deps.live.assertOpen();
    return listContainers(this.#deps, options);
  }

  #handle(id: string): Container {
    return new Container(this.#deps, id, this.#deps.repository.read(id).name);
  }
}
