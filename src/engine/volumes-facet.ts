import type { EngineEvent } from '../events/index.js';
import type { CallOptions } from '../util/signals.js';
import type {
  CreateVolumeOptions,
  ForgetTarget,
  ForgetVolumesOptions,
  HolderInput,
  ListVolumesOptions,
  MountVolumeOptions,
  PruneReport,
  PruneVolumesOptions,
  ReleaseVolumeOptions,
  RemoveVolumeOptions,
  Volume,
  VolumeHolder,
  VolumeInspection,
  VolumeList,
  VolumeMount,
  VolumeStore,
  VolumeUsage,
  VolumeUsageOptions,
  WatchVolumesOptions,
} from '../volumes/store/index.js';

/** The engine's door. */
export interface Gate {
  /** Throws CLOSED. */
  assertOpen(): void;
  /** Does work that close awaits. Throws CLOSED. */
  call<T>(work: () => Promise<T>): Promise<T>;
  /** The caller's signal, that also aborts when the engine closes. */
  orClosing(call?: CallOptions): { readonly signal: AbortSignal };
}

/**
 * Volumes of an engine's root, shared by all processes that have it open: a `VolumeStore` that is opened with the first
 * call. Each method rejects with CLOSED once the engine is closed; a call that waits for a driver then, too.
 *
 * @public
 */
export class Volumes {
  readonly #open: () => Promise<VolumeStore>;
  readonly #gate: Gate;

  private constructor(open: () => Promise<VolumeStore>, gate: Gate) {
    this.#open = open;
    this.#gate = gate;
  }

  /** For the engine. @internal */
  static make(open: () => Promise<VolumeStore>, gate: Gate): Volumes {
    return new Volumes(open, gate);
  }

  /**
   * Makes a volume, or gives the one that has the name when it is as wanted (see `ifExists`). Throws VOLUME_CONFLICT
   * with `details.differs`, VOLUME_EXISTS, VOLUME_LOST, DRIVER_NOT_FOUND, BAD_NAME, what the driver throws.
   */
  create(options: CreateVolumeOptions = {}): Promise<Volume> {
    return this.#call(options, (store, call) => store.create({ ...options, ...call }));
  }

  /** Like `find`, but throws VOLUME_NOT_FOUND. */
  get(name: string, call: CallOptions = {}): Promise<Volume> {
    return this.#call(call, (store, closing) => store.get(name, { ...call, ...closing }));
  }

  /**
   * The volume; `undefined` when it does not exist for sure. Its driver is asked, or all drivers for a name that is not
   * recorded. Throws VOLUME_LOST when holders need what its driver has no more, and what a driver throws.
   */
  find(name: string, call: CallOptions = {}): Promise<Volume | undefined> {
    return this.#call(call, (store, closing) => store.find(name, { ...call, ...closing }));
  }

  /** The volume with its driver's status and its holders. Throws VOLUME_NOT_FOUND, and what `find` throws. */
  inspect(name: string, call: CallOptions = {}): Promise<VolumeInspection> {
    return this.#call(call, (store, closing) => store.inspect(name, { ...call, ...closing }));
  }

  /** What is recorded and what drivers have, by name. A driver that fails costs a warning, not the list. */
  list(options: ListVolumesOptions = {}): Promise<VolumeList> {
    return this.#call(options, (store, call) => store.list({ ...options, ...call }));
  }

  /** Keeps the volume from being removed until the holder releases it. Idempotent. Throws VOLUME_NOT_FOUND, VOLUME_HOLDER_TAKEN. */
  hold(name: string, holder: HolderInput, call: CallOptions = {}): Promise<void> {
    return this.#call(call, (store, closing) => store.hold(name, holder, { ...call, ...closing }));
  }

  /**
   * Makes the content accessible on the host for a holder of your own, and holds the volume for it. Containers do this
   * by themselves. Throws VOLUME_NOT_FOUND, VOLUME_LOST, VOLUME_HOLDER_TAKEN, what the driver throws.
   */
  mount(name: string, options: MountVolumeOptions): Promise<VolumeMount> {
    return this.#call(options, (store, call) => store.mount(name, { ...options, ...call }));
  }

  /** The holder does not need the content any more; its hold stays. Idempotent. */
  unmount(name: string, holder: string, call: CallOptions = {}): Promise<void> {
    return this.#call(call, (store, closing) => store.unmount(name, holder, { ...call, ...closing }));
  }

  /** Unmounts for the holder and drops its hold. Idempotent; an unknown volume or holder is no error. */
  release(name: string, holder: string, options: ReleaseVolumeOptions = {}): Promise<void> {
    return this.#call(options, (store, call) => store.release(name, holder, { ...options, ...call }));
  }

  /** Who holds the volume now, by id; containers by theirs. Nobody for an unknown one. */
  whoUses(name: string): Promise<VolumeHolder[]> {
    return this.#call({}, async (store) => store.whoUses(name));
  }

  /** Removes a volume with its content. Throws VOLUME_IN_USE with `details.holders`, VOLUME_NOT_FOUND, what the driver throws. */
  remove(name: string, options: RemoveVolumeOptions = {}): Promise<void> {
    return this.#call(options, (store, call) => store.remove(name, { ...options, ...call }));
  }

  /** Removes volumes that nobody holds: anonymous ones of the local driver unless told otherwise. */
  prune(options: PruneVolumesOptions = {}): Promise<PruneReport> {
    return this.#call(options, (store, call) => store.prune({ ...options, ...call }));
  }

  /** How much space volumes take; each is measured when the loop comes to it. */
  usage(options: VolumeUsageOptions = {}): AsyncIterableIterator<VolumeUsage> {
    this.#gate.assertOpen();
    return this.#iterate((store) => store.usage({ ...options, ...this.#gate.orClosing(options) }));
  }

  /** Volume events of all processes of the root from the time of the call on: `create destroy mount unmount prune forget`. */
  watch(options: WatchVolumesOptions = {}): AsyncIterableIterator<EngineEvent> {
    this.#gate.assertOpen();
    const { since = new Date() } = options;
    return this.#iterate((store) => store.watch({ ...options, since, ...this.#gate.orClosing(options) }));
  }

  /**
   * Drops what is recorded of a volume, or of all volumes of a driver, without calling the driver: for drivers that are
   * gone for good. Gives the names. Throws VOLUME_IN_USE, VOLUME_BUSY unless forced.
   */
  forget(target: ForgetTarget, options: ForgetVolumesOptions = {}): Promise<string[]> {
    return this.#call(options, (store, call) => store.forget(target, { ...options, ...call }));
  }

  #call<T>(
    options: CallOptions,
    work: (store: VolumeStore, call: { readonly signal: AbortSignal }) => Promise<T>,
  ): Promise<T> {
    return this.#gate.call(async () => {
      const call = this.#gate.orClosing(options);
      return await work(await this.#open(), call);
    });
  }

  async *#iterate<T>(iterate: (store: VolumeStore) => AsyncIterable<T>): AsyncGenerator<T, undefined> {
    yield* iterate(await this.#open());
    return undefined;
  }
}
