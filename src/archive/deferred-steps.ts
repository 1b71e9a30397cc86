import type { Directory } from './layer-tree.js';

/** Something a layer asks for whose outcome is up to the layers below it. */
export type DeferredStep =
  /** A directory that entries lie in and that none described: the lower layers may have one, or a link. */
  | { readonly kind: 'implied'; readonly directory: Directory }
  | {
      readonly kind: 'whiteout';
      /** Where it stands, when the layer itself has that directory. */
      readonly directory: Directory | undefined;
      readonly components: readonly string[];
      readonly entryPath: string;
      /** Absent: all that lower layers have there. */
      readonly name: string | undefined;
    };

/**
 * What waits while a layer is unpacked before those below it are there, so that layers can be unpacked side by side.
 * Nearly every layer has few such steps. Where what comes later can change what a step means, the whole is given up: the
 * layer is then unpacked once more on top of the finished lower ones.
 */
export class DeferredSteps {
  readonly steps: DeferredStep[] = [];
  readonly #missed = new Set<string>();
  #givenUp = false;

  /** True when only unpacking the layer again, with the lower ones in place, gives the right tree. */
  get isGivenUp(): boolean {
    return this.#givenUp;
  }

  add(step: DeferredStep): void {
    this.steps.push(step);
  }

  /** Says that a step relies on the layer not having `path`. */
  miss(path: string): void {
    this.#missed.add(path);
  }

  /** Must be told of everything that is made. */
  made(path: string): void {
    if (this.#missed.size > 0 && this.#missed.has(path)) this.#givenUp = true;
  }

  giveUp(): void {
    this.#givenUp = true;
  }
}
