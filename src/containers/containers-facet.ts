import { engineError, quote } from '../errors/index.js';
import { cleanupSignal } from '../util/signals.js';
import type { ContainerDeps } from './deps.js';
import { Container } from './durable/container.js';
import { type CreateContainerOptions, createContainer } from './durable/create.js';
import { type ContainerSummary, type ListContainersOptions, listContainers } from './durable/list.js';
import { removeContainer } from './durable/remove.js';
import { startContainer } from './durable/start.js';
import { EphemeralContainer, type EphemeralContainerOptions } from './ephemeral/ephemeral-container.js';

/**
 * Containers of an engine's root. Each method rejects with CLOSED once the engine is closed, and checks all options
 * before anything is made: UNKNOWN_OPTION, BAD_OPTION and the reason of the field, with `details.field`.
 *
 * @public
 */
export class Containers {
  readonly #deps: ContainerDeps;

  private constructor(deps: ContainerDeps) {
    this.#deps = deps;
  }

  /** For the engine. @internal */
  static make(deps: ContainerDeps): Containers {
    return new Containers(deps);
  }

  /**
   * Starts a throwaway container: it lives until it is disposed, at the latest until this process ends, however that
   * happens. `await using box = await engine.containers.ephemeral({ image, command })`. Resolves when its process runs,
   * or has already ended. Throws IMAGE_NOT_FOUND, NAME_TAKEN, and start errors with `details.exitCode` 125, 126 or 127.
   */
  async ephemeral(options: EphemeralContainerOptions): Promise<EphemeralContainer> {
    this.#deps.live.assertOpen();
    return EphemeralContainer.start(this.#deps, options);
  }

  /**
   * Creates a durable container; start it with `container.start()`. It lives until it is removed, whatever happens to
   * this process. Throws IMAGE_NOT_FOUND, NAME_TAKEN, UNKNOWN_RUNTIME, SUPERVISOR_MISSING.
   */
  async create(options: CreateContainerOptions): Promise<Container> {
    return this.#deps.live.call(async () => this.#handle(await createContainer(this.#deps, options)));
  }

  /**
   * Creates and starts a durable container: `docker run -d`. When the start fails it is removed again. Throws as
   * `create` and `container.start`.
   */
  async run(options: CreateContainerOptions): Promise<Container> {
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

  /**
   * A durable container, of whatever process, by id, name or unique id prefix. Throws CONTAINER_NOT_FOUND, AMBIGUOUS_ID;
   * CONTAINER_EPHEMERAL for a throwaway one, whose handle only its maker has.
   */
  async get(reference: string): Promise<Container> {
    this.#deps.live.assertOpen();
    const id = this.#deps.repository.findId(reference);
    if (id === undefined) throw this.#missing(reference);
    return this.#handle(id);
  }

  /** Like `get`, but `undefined` when there is no such durable container. Throws AMBIGUOUS_ID. */
  async find(reference: string): Promise<Container | undefined> {
    this.#deps.live.assertOpen();
    const id = this.#deps.repository.findId(reference);
    return id === undefined ? undefined : this.#handle(id);
  }

  /**
   * Running containers of all processes on the root, durable and throwaway, the newest first; with `all` those that don't
   * run too. Damaged records are left out.
   */
  async list(options: ListContainersOptions = {}): Promise<ContainerSummary[]> {
    this.#deps.live.assertOpen();
    return listContainers(this.#deps, options);
  }

  #missing(reference: string): Error {
    const isMeant = ({ id, name }: { readonly id: string; readonly name: string | undefined }): boolean =>
      name === reference || (/^[a-f0-9]{4,64}$/.test(reference) && id.startsWith(reference));
    const owned = this.#deps.repository.listEphemeral().find(isMeant);
    if (owned === undefined) {
      return engineError('CONTAINER_NOT_FOUND', `container ${quote(reference)} does not exist`, {
        details: { container: reference },
      });
    }
    return engineError(
      'CONTAINER_EPHEMERAL',
      `container ${quote(reference)} is a throwaway one of process ${owned.owner.pid}`,
      { details: { container: reference, id: owned.id, ownerPid: owned.owner.pid } },
    );
  }

  #handle(id: string): Container {
    return Container.make(this.#deps, id, this.#deps.repository.read(id).name);
  }
}
