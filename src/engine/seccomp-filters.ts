import { linkSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import type { SeccompFilters } from '../containers/bundle/seccomp-filters.js';
import { isFilter, type OciRuntime, SeccompFilterStore } from '../runtime/index.js';
import type { OciSeccomp } from '../spec/index.js';
import { createLog } from '../util/log.js';
import { sleep } from '../util/signals.js';

export interface FilterDeps {
  /** Where verified filters are kept. */
  readonly dir: string;
  /** A directory on the file system of the runtimes' roots. */
  readonly scratchDir: string;
  /** Runs a probe under the filter and tells whether the kernel reports it in force. */
  readonly verify: (runtime: OciRuntime, filter: string) => Promise<boolean>;
}

const log = createLog('seccomp');
const LEARN_TRIES = 400;

/**
 * crun leaves the filter that it compiled in its state directory while the container lives. That file is taken (as a
 * hard link, so that it is whole however short the container's life), tried on a probe, and used from then on. A crun
 * that ignored the annotation would run containers unconfined: hence the probe, for every version of it.
 */
export class CompiledFilters implements SeccompFilters {
  readonly #deps: FilterDeps;
  readonly #store: SeccompFilterStore;
  readonly #keys = new WeakMap<OciSeccomp, string>();
  readonly #busy = new Set<string>();
  readonly #work = new Set<Promise<void>>();

  constructor(deps: FilterDeps) {
    this.#deps = deps;
    this.#store = new SeccompFilterStore(deps.dir);
  }

  find(runtime: OciRuntime, seccomp: OciSeccomp): string | undefined {
    return usable(runtime, seccomp) ? this.#store.find(this.#keyOf(runtime, seccomp)) : undefined;
  }

  learn(runtime: OciRuntime, seccomp: OciSeccomp, id: string, ended: Promise<unknown>): void {
    if (!usable(runtime, seccomp)) return;
    const key = this.#keyOf(runtime, seccomp);
    if (this.#busy.has(key) || this.#store.find(key) !== undefined) return;
    this.#busy.add(key);
    const work = this.#take(runtime, key, id, ended)
      .catch((error: unknown) => log('no filter learned from %s: %o', id, error))
      .finally(() => {
        this.#busy.delete(key);
        this.#work.delete(work);
      });
    this.#work.add(work);
  }

  /** Waits for what is being learned: a probe must not outlive the engine. */
  async close(): Promise<void> {
    await Promise.all(this.#work);
  }

  async #take(runtime: OciRuntime, key: string, id: string, ended: Promise<unknown>): Promise<void> {
    const taken = `${this.#deps.scratchDir}/${key}.${id}`;
    mkdirSync(this.#deps.scratchDir, { recursive: true, mode: 0o700 });
    try {
      if (!(await linkWhenThere(`${runtime.root}/${id}/seccomp.bpf`, taken, ended))) return;
      const filter = readFileSync(taken);
      if (!isFilter(filter)) return;
      if (await this.#deps.verify(runtime, filter.toString('base64'))) this.#store.store(key, filter);
    } finally {
      rmSync(taken, { force: true });
    }
  }

  #keyOf(runtime: OciRuntime, seccomp: OciSeccomp): string {
    let key = this.#keys.get(seccomp);
    if (key === undefined) {
      key = this.#store.keyOf(runtime.binary, JSON.stringify(seccomp));
      this.#keys.set(seccomp, key);
    }
    return key;
  }
}

/**
 * Flags of a profile are not part of the filter, so a profile with flags is always compiled. So is one that allows what
 * it does not name: a newer libseccomp knows more of the names that it denies, and a kept filter would let those pass.
 */
function usable(runtime: OciRuntime, { flags = [], defaultAction }: OciSeccomp): boolean {
  return runtime.binary.flavor === 'crun' && flags.length === 0 && !/_(ALLOW|LOG)$/.test(defaultAction);
}

/** Links the file as soon as it exists; then waits until the container has ended, when it is whole for certain. */
async function linkWhenThere(path: string, to: string, ended: Promise<unknown>): Promise<boolean> {
  let over = false;
  const end = ended.then(
    () => {
      over = true;
    },
    () => {
      over = true;
    },
  );
  for (let tries = 0; tries < LEARN_TRIES && !over; tries++) {
    try {
      linkSync(path, to);
      // crun writes it with one call right after making it.
      await Promise.race([end, sleep(50)]);
      return true;
    } catch {
      await sleep(1);
    }
  }
  return false;
}
