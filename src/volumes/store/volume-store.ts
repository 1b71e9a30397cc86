import { engineError } from '../../errors/index.js';
import type { EngineEvent } from '../../events/index.js';
import { assertSafeName } from '../../util/ids.js';
import { assertKnownOptions } from '../../util/known-options.js';
import { type CallOptions, throwIfAborted } from '../../util/signals.js';
import { checkCreate, checkHolder } from './check-options.js';
import { createVolume } from './create-volume.js';
import type { StoreDeps } from './deps.js';
import { notFound } from './failures.js';
import { checkFilter } from './filters.js';
import { findVolume, inspectVolume } from './find-volume.js';
import { type ForgetTarget, forgetVolumes } from './forget-volumes.js';
import { holdVolume } from './hold-volume.js';
import { listHolders } from './holders.js';
import { listVolumes } from './list-volumes.js';
import { mountVolume } from './mount-volume.js';
import { openParts, type VolumeStoreOptions, type VolumeStoreParts } from './open-parts.js';
import { pruneVolumes } from './prune-volumes.js';
import { releaseVolume } from './release-volume.js';
import { removeVolume } from './remove-volume.js';
import type {
  CreateVolumeOptions,
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
  VolumeUsage,
  VolumeUsageOptions,
} from './types.js';
import { unmountVolume } from './unmount-volume.js';
import { measureVolumes } from './volume-usage.js';

/** Options of `volumes.watch`. @public */
export interface WatchVolumesOptions extends CallOptions {
  /** Events behind this `seq`, or not before this time. @defaultValue from now on */
  readonly since?: number | Date;
  /** Only of these volumes. */
  readonly name?: string | readonly string[];
}

/**
 * The volumes of a root: what they are, who holds them, where they are mounted. Any number of processes may have one
 * root open, and any may die at any moment.
 *
 * A volume is there as long as somebody holds it. Who that is are ids on record, written before the driver is told
 * anything; the number of users is never kept, only counted. What is acknowledged survives a power cut, except what
 * belongs to one process alone (a holder with an `owner`), which ends with that process.
 *
 * @public
 */
export class VolumeStore implements AsyncDisposable {
  readonly #parts: VolumeStoreParts;
  #isClosed = false;

  private constructor(parts: VolumeStoreParts) {
    this.#parts = parts;
  }

  /**
   * Opens the volumes of a root; no driver is called before it returns. What processes that died have left is put in
   * order in the background. Throws what opening a root throws, BAD_OPTION, UNKNOWN_OPTION.
   */
  static async open(options: VolumeStoreOptions): Promise<VolumeStore> {
    throwIfAborted(options.signal);
    return new VolumeStore(await openParts(options));
  }

  /** Resolves when what dead processes left, as far as drivers let us, is put in order. Never rejects. */
  async recovered(): Promise<void> {
    await this.#parts.recovery;
  }

  /**
   * Makes a volume, or gives the one that has the name when it is as wanted (see `ifExists`). Throws VOLUME_CONFLICT
   * with `details.differs`, VOLUME_EXISTS, VOLUME_LOST, BAD_NAME, what the driver throws.
   */
  async create(options: CreateVolumeOptions = {}): Promise<Volume> {
    const deps = this.#deps();
    const wanted = checkCreate(options);
    return await createVolume(deps, wanted, toCall(options));
  }

  /** Like `find`, but throws VOLUME_NOT_FOUND. */
  async get(name: string, call: CallOptions = {}): Promise<Volume> {
    return (await this.find(name, call)) ?? fail(notFound(name));
  }

  /**
   * The volume; `undefined` when it does not exist for sure. Its driver is asked, or all drivers for a name that is not
   * recorded. Throws VOLUME_LOST when holders need what its driver has no more, and what a driver throws.
   */
  async find(name: string, call: CallOptions = {}): Promise<Volume | undefined> {
    return await findVolume(this.#deps(), name, checkCall(call));
  }

  /** The volume with its driver's status and its holders. Throws VOLUME_NOT_FOUND, and what `find` throws. */
  async inspect(name: string, call: CallOptions = {}): Promise<VolumeInspection> {
    return (await inspectVolume(this.#deps(), name, checkCall(call))) ?? fail(notFound(name));
  }

  /** What is recorded and what drivers have, by name. A driver that fails costs a warning, not the list. */
  async list(options: ListVolumesOptions = {}): Promise<VolumeList> {
    checkFilter(options);
    return await listVolumes(this.#deps(), options);
  }

  /** Keeps the volume from being removed until the holder releases it. Idempotent. Throws VOLUME_NOT_FOUND, VOLUME_HOLDER_TAKEN. */
  async hold(name: string, holder: HolderInput, call: CallOptions = {}): Promise<void> {
    await holdVolume(this.#deps(), name, checkHolder(holder), checkCall(call));
  }

  /**
   * Makes the content accessible for a holder, and holds the volume for it. A holder that mounts twice is one holder:
   * one unmount ends both. Nothing is left of it when it throws. Throws VOLUME_NOT_FOUND, VOLUME_LOST,
   * VOLUME_HOLDER_TAKEN, what the driver throws.
   */
  async mount(name: string, options: MountVolumeOptions): Promise<VolumeMount> {
    const known = { signal: true, holder: true, destination: true, readOnly: true, propagation: true } as const;
    assertKnownOptions(options, known);
    return await mountVolume(this.#deps(), name, checkHolder(options.holder), options);
  }

  /** The holder does not need the content any more; its hold stays. Idempotent. */
  async unmount(name: string, holder: string, call: CallOptions = {}): Promise<void> {
    assertNames(name, holder);
    await unmountVolume(this.#deps(), name, holder, checkCall(call));
  }

  /** Unmounts for the holder and drops its hold. Idempotent; an unknown volume or holder is no error. */
  async release(name: string, holder: string, options: ReleaseVolumeOptions = {}): Promise<void> {
    assertNames(name, holder);
    assertKnownOptions(options, { signal: true, force: true });
    await releaseVolume(this.#deps(), name, holder, options);
  }

  /** Who holds the volume now, by id. Nobody for an unknown one. */
  whoUses(name: string): VolumeHolder[] {
    assertSafeName('volume name', name);
    return listHolders(this.#deps(), name);
  }

  /** Removes a volume with its content. Throws VOLUME_IN_USE with `details.holders`, VOLUME_NOT_FOUND, what the driver throws. */
  async remove(name: string, options: RemoveVolumeOptions = {}): Promise<void> {
    assertKnownOptions(options, { signal: true, force: true });
    await removeVolume(this.#deps(), name, options);
  }

  /** Removes volumes that nobody holds: anonymous ones of the local driver unless told otherwise. */
  async prune(options: PruneVolumesOptions = {}): Promise<PruneReport> {
    return await pruneVolumes(this.#deps(), options);
  }

  /** How much space volumes take; each is measured when the loop comes to it. */
  usage(options: VolumeUsageOptions = {}): AsyncIterableIterator<VolumeUsage> {
    const { onProgress: _, ...filter } = options;
    checkFilter(filter);
    return measureVolumes(this.#deps(), options);
  }

  /** Volume events of all processes of the root: `create destroy mount unmount prune forget`. */
  watch(options: WatchVolumesOptions = {}): AsyncIterableIterator<EngineEvent> {
    assertKnownOptions(options, { signal: true, since: true, name: true });
    this.#deps();
    const { since, name, signal } = options;
    return this.#parts.journal().read({
      follow: true,
      filter: { type: 'volume', ...(name !== undefined && { id: name }) },
      ...(since !== undefined && { since }),
      ...(signal !== undefined && { signal }),
    });
  }

  /**
   * Drops what is recorded of a volume, or of all volumes of a driver, without calling the driver: for drivers that are
   * gone for good. Gives the names. Throws VOLUME_IN_USE, VOLUME_BUSY unless forced.
   */
  async forget(target: ForgetTarget, options: ForgetVolumesOptions = {}): Promise<string[]> {
    assertKnownOptions(options, { signal: true, force: true });
    return await forgetVolumes(this.#deps(), target, options);
  }

  /** Ends what goes on in the background and frees what is open. Holds and mounts stay. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#parts.close();
  }

  /** Closes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #deps(): StoreDeps {
    if (this.#isClosed) throw engineError('CLOSED', 'the VolumeStore was closed');
    return this.#parts.deps;
  }
}

function toCall({ signal }: CallOptions): CallOptions {
  return signal === undefined ? {} : { signal };
}

function checkCall(call: CallOptions): CallOptions {
  assertKnownOptions(call, { signal: true });
  throwIfAborted(call.signal);
  return call;
}

function assertNames(volume: string, holder: string): void {
  assertSafeName('volume name', volume);
  assertSafeName('holder id', holder);
}

function fail(error: Error): never {
  throw error;
}
