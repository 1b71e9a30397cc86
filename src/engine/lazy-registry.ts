import type { RegistryClient } from '../registry/index.js';

/** The engine's registry client: its code is loaded with the first pull. */
export class LazyRegistry {
  #client: Promise<RegistryClient> | undefined;

  get(): Promise<RegistryClient> {
    this.#client ??= import('../registry/index.js').then(({ RegistryClient }) => new RegistryClient());
    return this.#client;
  }

  async close(): Promise<void> {
    await (await this.#client)?.close();
  }
}
