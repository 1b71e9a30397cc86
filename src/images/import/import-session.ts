import { rmSync } from 'node:fs';
import { type CallOptions, cleanupSignal } from '../../util/signals.js';
import { collectGarbage } from '../collect-garbage.js';
import type { ImageDeps } from '../image-deps.js';
import type { Lease } from '../leases.js';
import type { Digest } from '../types.js';

/** One import: its lease, its temporary files, and what to take back when it fails. */
export class ImportSession {
  readonly #deps: ImageDeps;
  readonly #lease: Lease;
  readonly #temps: string[] = [];
  readonly #open: { close(): void }[] = [];
  readonly #blobs = new Set<Digest>();
  readonly #layers = new Set<Digest>();

  private constructor(deps: ImageDeps, lease: Lease) {
    this.#deps = deps;
    this.#lease = lease;
  }

  /**
   * Runs an import under a lease. When it fails, content that it brought and nothing else needs is removed; with
   * `keeps` it stays for a day, also when the process is killed, so that the next try need not bring it again.
   */
  static async run<T>(
    deps: ImageDeps,
    work: (session: ImportSession) => Promise<T>,
    call: CallOptions & { readonly keeps?: boolean } = {},
  ): Promise<T> {
    const session = new ImportSession(deps, await deps.leases.take(call));
    try {
      const result = await work(session);
      session.#end();
      session.#lease.release();
      return result;
    } catch (error) {
      session.#end();
      if (call.keeps) await session.#keep();
      else await session.#takeBack();
      throw error;
    }
  }

  get owner(): string {
    return this.#lease.token;
  }

  /** Path for a temporary file; it goes with the session. */
  readonly tempPath = (): string => {
    const path = this.#deps.content.tempPath(this.owner);
    this.#temps.push(path);
    return path;
  };

  /** Has something closed when the session ends. */
  closeAtEnd(resource: { close(): void }): void {
    this.#open.push(resource);
  }

  /** Keeps collectors away from blobs and layers that the import is about to store or rely on. */
  async protect(
    content: { blobs?: readonly Digest[]; layers?: readonly Digest[] },
    call: CallOptions = {},
  ): Promise<void> {
    const { blobs = [], layers = [] } = content;
    for (const digest of blobs) this.#blobs.add(digest);
    for (const chainId of layers) this.#layers.add(chainId);
    await this.#lease.protect([...blobs, ...layers], call);
  }

  #end(): void {
    for (const resource of this.#open) resource.close();
    for (const path of this.#temps) rmSync(path, { force: true });
  }

  async #keep(): Promise<void> {
    try {
      await this.#lease.keep({ signal: cleanupSignal() });
    } catch {
      // Without it the content is garbage like any other.
      this.#lease.release();
    }
  }

  async #takeBack(): Promise<void> {
    this.#lease.release();
    if (this.#blobs.size === 0 && this.#layers.size === 0) return;
    const call = { signal: cleanupSignal() };
    try {
      await this.#deps.lock(() => collectGarbage(this.#deps, { blobs: this.#blobs, layers: this.#layers }, call), call);
    } catch {
      // The import's own error is the one to report; what stays is garbage that the next sweep finds.
    }
  }
}
