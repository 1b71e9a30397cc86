type Undo = () => unknown;

/** Undo steps that run in reverse order unless disarmed. Every effect registers its undo on the next line. */
export class Rollback implements AsyncDisposable {
  #steps: Undo[] = [];
  #failures: unknown[] = [];

  defer(undo: Undo): void {
    this.#steps.push(undo);
  }

  /** The work is done: nothing is undone any more. */
  disarm(): void {
    this.#steps = [];
  }

  /** Failures of undo steps so far; they belong into `details.cleanup` of the error that caused the rollback. */
  get failures(): readonly unknown[] {
    return this.#failures;
  }

  /** Runs what is registered, last first; a failing step does not stop the others. */
  async run(): Promise<void> {
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step();
      } catch (error) {
        this.#failures.push(error);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.run();
  }
}
