import type { SupervisedTask } from '../../runtime/supervisor.js';
import { createLog } from '../../util/log.js';

export interface ExitWatcherDeps {
  /** Waits for the exit of a task; must not keep the host's event loop alive. */
  wait(task: SupervisedTask, signal: AbortSignal): Promise<unknown>;
  settle(id: string): Promise<void>;
}

const log = createLog('exits');

/** Takes note of exits of durable containers while this engine is open: records, events and auto-remove follow at once. */
export class ExitWatcher {
  readonly #deps: ExitWatcherDeps;
  readonly #watched = new Map<string, AbortController>();
  readonly #settling = new Set<Promise<void>>();

  constructor(deps: ExitWatcherDeps) {
    this.#deps = deps;
  }

  /** Watches a running task; a newer run of the same container replaces the older one. */
  watch(id: string, task: SupervisedTask): void {
    this.#watched.get(id)?.abort();
    const controller = new AbortController();
    this.#watched.set(id, controller);
    this.#deps.wait(task, controller.signal).then(
      () => {
        if (!controller.signal.aborted) this.#settle(id, controller);
      },
      (error: unknown) => {
        if (!controller.signal.aborted) log('wait for %s failed: %o', id, error);
      },
    );
  }

  #settle(id: string, controller: AbortController): void {
    const settling = this.#deps
      .settle(id)
      .catch((error: unknown) => log('settle of %s failed: %o', id, error))
      .finally(() => {
        if (this.#watched.get(id) === controller) this.#watched.delete(id);
        this.#settling.delete(settling);
      });
    this.#settling.add(settling);
  }

  /** Stops watching; work that has begun is finished. */
  async close(): Promise<void> {
    for (const controller of this.#watched.values()) controller.abort();
    this.#watched.clear();
    await Promise.all(this.#settling);
  }
}
