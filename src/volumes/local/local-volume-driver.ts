import { lstatSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError, engineError, quote } from '../../errors/index.js';
import { readMountInfo } from '../../os/index.js';
import { errnoOf } from '../../os/syscalls/index.js';
import { TimeSlices } from '../../os/trees/time-slices.js';
import { ioError, syncDirectory, withFileLock } from '../../state/index.js';
import { newToken, SAFE_NAME } from '../../util/ids.js';
import { createLog } from '../../util/log.js';
import { type CallOptions, throwIfAborted } from '../../util/signals.js';
import type { DriverVolume, VolumeDriver } from '../volume-driver.js';
import { describeStatus } from './describe-status.js';
import { HolderFiles } from './holder-files.js';
import { type LocalPaths, makeDirectory, openLocalPaths } from './local-paths.js';
import { makeVolume } from './make-volume.js';
import { isMountPoint, mountData, unmountData } from './mount-data.js';
import { assertVolumeName } from './names.js';
import { checkOptions, type LocalVolumeOptions, needsMount } from './options.js';
import type { StoredOptions } from './options-file.js';
import { assertNoAttempt, type MountWork, mayBlock } from './perform-calls.js';
import { ProjectQuota } from './project-quota.js';
import { type ResolveAddress, resolveBySystem } from './resolve-addresses.js';
import { discardPiece, sweepLeftovers } from './sweep.js';
import {
  assertDataDirectory,
  findVolume,
  findVolumeDirectory,
  type LocalVolume,
  type VolumeDirectory,
} from './volume-directory.js';

export interface LocalVolumeDriverOptions extends CallOptions {
  /** Volumes: `<dir>/<name>/_data`. On a disk; made when missing. */
  readonly dir: string;
  /** Facts of this boot: locks, holders of mounts. Made when missing. */
  readonly runDir: string;
  /** Mode of the directories above the data; 0711 where runtimes look in as a user of a namespace. Default 0700. */
  readonly parentMode?: 0o700 | 0o711;
  /** Owner of the data directories, for hosts that remap root. Default: the engine's user. */
  readonly owner?: { readonly uid: number; readonly gid: number };
  /**
   * How long a mount may wait for its server or disk, milliseconds. Mounts of tmpfs, overlay and directories wait for
   * nothing. @defaultValue 100000
   */
  readonly mountTimeoutMs?: number;
  /** How host names in options become addresses. Default: the system's name service. */
  readonly resolveAddress?: ResolveAddress;
}

const MOUNT_TIMEOUT_MS = 100_000;
/** On top of that: others of the same volume wait for the one who mounts it. */
const LOCK_TIMEOUT_MS = 30_000;

const log = createLog('volumes:local');

/**
 * The built-in driver `local`: a directory per volume, or what its options `type`, `device` and `o` mount. Any number
 * of processes may use the same directories at once, and any may die at any point.
 */
export class LocalVolumeDriver implements VolumeDriver, AsyncDisposable {
  readonly name = 'local';
  readonly scope = 'local';
  readonly #paths: LocalPaths;
  readonly #holders: HolderFiles;
  readonly #options: LocalVolumeDriverOptions;
  readonly #resolveAddress: ResolveAddress;
  readonly #mountTimeoutMs: number;
  readonly #closing = new AbortController();
  /** Settles when what dead processes left is gone; never rejects. */
  readonly swept: Promise<void>;

  private constructor(options: LocalVolumeDriverOptions) {
    this.#options = options;
    this.#mountTimeoutMs = options.mountTimeoutMs ?? MOUNT_TIMEOUT_MS;
    this.#resolveAddress = options.resolveAddress ?? resolveBySystem;
    this.#paths = openLocalPaths(options.dir, options.parentMode ?? 0o700);
    this.#holders = new HolderFiles(options.runDir);
    const sweepLock = this.#holders.lockPath('.sweep');
    this.swept = sweepLeftovers(this.#paths, sweepLock, log, { signal: this.#closing.signal }).catch((error) =>
      log('sweep ended early: %s', error),
    );
  }

  /** Makes its directories where missing. What dead processes left is deleted in the background. Throws ROOT_NOT_OURS. */
  static async open(options: LocalVolumeDriverOptions): Promise<LocalVolumeDriver> {
    throwIfAborted(options.signal);
    return new LocalVolumeDriver(options);
  }

  /**
   * Makes a volume; one that exists with the same options is fine. With `durable: false` it may be lost by a power cut.
   * Throws LOCAL_VOLUME_BAD_NAME, LOCAL_VOLUME_BAD_OPTION, LOCAL_VOLUME_EXISTS (other options), LOCAL_VOLUME_NO_QUOTA,
   * LOCAL_VOLUME_DAMAGED, DISK_FULL.
   */
  async create(
    request: {
      readonly name: string;
      readonly options: Readonly<Record<string, string>>;
      readonly durable?: boolean;
    },
    call: CallOptions = {},
  ): Promise<void> {
    const { name, durable = true } = request;
    assertVolumeName(name);
    const options = checkOptions(request.options);
    throwIfAborted(call.signal);
    const { owner } = this.#options;
    const making = { name, options, durable, ...(owner === undefined ? {} : { owner }) };
    for (;;) {
      const existing = findVolume(this.#paths.dir, name);
      if (existing !== undefined) return assertSame(name, existing.stored, options);
      if (await makeVolume(this.#paths, making)) return;
      throwIfAborted(call.signal);
    }
  }

  /**
   * Removes a volume with its data; one that does not exist is no error. What it mounted is unmounted, never emptied.
   * Throws LOCAL_VOLUME_IN_USE (details.holders), LOCAL_VOLUME_HAS_MOUNTS (details.mounts), LOCAL_VOLUME_UNSAFE,
   * LOCAL_VOLUME_MOUNT_PENDING.
   */
  async remove(name: string, call: CallOptions = {}): Promise<void> {
    throwIfAborted(call.signal);
    assertVolumeName(name);
    if (findVolumeDirectory(this.#paths.dir, name) === undefined) return;
    const piece = await this.#locked(name, () => this.#takeName(name, call), call);
    if (piece !== undefined) await this.#discard(name, piece, call);
  }

  /**
   * Makes the data accessible; gives its path. A plain directory is only looked at; one with a size gets its limit back
   * where it lost it, file by file. What can wait for a server or disk
   * is mounted by a process that the signal and `mountTimeoutMs` kill; a call that fails leaves nothing mounted and no
   * holder. Throws LOCAL_VOLUME_NOT_FOUND, LOCAL_VOLUME_UNSAFE, LOCAL_VOLUME_MOUNT_FAILED, LOCAL_VOLUME_MOUNT_PENDING,
   * LOCAL_VOLUME_UNKNOWN_HOST, LOCAL_VOLUME_DAMAGED.
   */
  async mount(
    request: { readonly name: string; readonly id: string },
    call: CallOptions = {},
  ): Promise<{ readonly mountpoint: string }> {
    throwIfAborted(call.signal);
    const { name, id } = request;
    const volume = this.#get(name);
    if (volume.stored !== undefined && needsMount(volume.stored)) {
      await this.#locked(name, () => this.#mountLocked(name, id, call), call);
    } else {
      assertDataDirectory(volume);
      if (volume.stored !== undefined) await applyLimit(volume, volume.stored, call);
    }
    return { mountpoint: volume.mountpoint };
  }

  /**
   * Drops a holder; the last one's unmounts. An id that holds nothing, and a volume that is gone, are no errors. Throws
   * LOCAL_VOLUME_MOUNT_PENDING.
   *
   * Who holds it is known from the run directory only. Where that was emptied while mounts stayed, nobody does, and the
   * first unmount, whatever its id, takes the mount away, as remove does; the mount is never left behind for good. What
   * is in use is detached: open files stay, containers keep their view of it, and the next mount mounts it anew.
   */
  async unmount(request: { readonly name: string; readonly id: string }, call: CallOptions = {}): Promise<void> {
    throwIfAborted(call.signal);
    const { name, id } = request;
    assertVolumeName(name);
    const volume = findVolumeDirectory(this.#paths.dir, name);
    if (volume === undefined || volume.options === 'none') return;
    await this.#locked(name, () => this.#unmountLocked(name, id, call), call);
  }

  /** The volume, also one that nobody has a record of; `undefined` when there is none. Throws LOCAL_VOLUME_DAMAGED. */
  async get(name: string, call: CallOptions = {}): Promise<DriverVolume | undefined> {
    throwIfAborted(call.signal);
    assertVolumeName(name);
    const volume = findVolume(this.#paths.dir, name);
    if (volume === undefined) return undefined;
    const status = volume.stored === undefined ? {} : { status: describeStatus(volume, volume.stored) };
    return { ...this.#describe(volume), ...status };
  }

  /** All volumes, readable or not; sliced, so that thousands don't hold up the event loop. */
  async list(call: CallOptions = {}): Promise<DriverVolume[]> {
    throwIfAborted(call.signal);
    const slices = new TimeSlices(call);
    const volumes: DriverVolume[] = [];
    for (const entry of readdirSync(this.#paths.dir, { withFileTypes: true })) {
      if (slices.due) await slices.pause();
      if (!entry.isDirectory() || !SAFE_NAME.test(entry.name) || entry.name.length < 2) continue;
      const volume = findIfThere(this.#paths.dir, entry.name);
      if (volume !== undefined) volumes.push(this.#describe(volume));
    }
    return volumes;
  }

  /** Ends the work in the background. Mounts and volumes stay. Idempotent. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.swept;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #locked<T>(name: string, work: () => Promise<T>, call: CallOptions): Promise<T> {
    const timeoutMs = this.#mountTimeoutMs + LOCK_TIMEOUT_MS;
    return withFileLock(this.#holders.lockPath(name), work, { ...call, timeoutMs });
  }

  #work(name: string, blocking: boolean, call: CallOptions): MountWork {
    const attemptPath = this.#holders.attemptPath(name);
    const onLate = () => this.#letGo(name);
    return { ...call, name, blocking, attemptPath, timeoutMs: this.#mountTimeoutMs, onLate };
  }

  /** A mount that was given up came late. */
  #letGo(name: string): void {
    this.#locked(name, () => this.#unmountLocked(name, undefined, {}), {}).catch((error) =>
      log('volume %s may be mounted: %s', name, error),
    );
  }

  #get(name: string): LocalVolume {
    assertVolumeName(name);
    const volume = findVolume(this.#paths.dir, name);
    if (volume !== undefined) return volume;
    throw engineError('LOCAL_VOLUME_NOT_FOUND', `there is no volume ${quote(name)}`, { details: { name } });
  }

  #describe(volume: VolumeDirectory): DriverVolume {
    const { name, path, mountpoint } = volume;
    const stat = lstatSync(path, { throwIfNoEntry: false });
    const made = stat === undefined || stat.birthtimeMs > 0 ? stat?.birthtime : stat.ctime;
    return { name, mountpoint, ...(made === undefined ? {} : { createdAt: made }) };
  }

  async #mountLocked(name: string, id: string, call: CallOptions): Promise<void> {
    const volume = this.#get(name);
    const options = volume.stored;
    if (options === undefined || !needsMount(options)) return;
    const work = this.#work(name, mayBlock(options), call);
    // Saved first: a mount that nobody is known to hold would never be taken away.
    const added = this.#holders.add(name, id);
    try {
      await assertNoAttempt(work);
      if (isMountPoint(volume.mountpoint)) return;
      if (volume.data === 'missing') makeDirectory(volume.mountpoint, 0o755, this.#options.owner);
      else assertDataDirectory(volume);
      const deps = { dir: this.#paths.dir, resolveAddress: this.#resolveAddress };
      await mountData(deps, volume, options, work);
    } catch (error) {
      if (added) this.#holders.drop(name, id);
      throw error;
    }
  }

  async #unmountLocked(name: string, id: string | undefined, call: CallOptions): Promise<void> {
    const volume = findVolumeDirectory(this.#paths.dir, name);
    const others = this.#holders.list(name).filter((holder) => holder !== id);
    // Before the holder goes, for the same reason; a volume that lost its holders with the run dir is let go, too.
    if (volume !== undefined && others.length === 0) await this.#unmountOwn(volume, call);
    if (id !== undefined) this.#holders.drop(name, id);
  }

  /** Not of a plain volume: what is mounted on that is the host's affair. */
  async #unmountOwn({ name, path }: VolumeDirectory, call: CallOptions): Promise<void> {
    const options = mountOptions(this.#paths.dir, name);
    if (options === undefined) return;
    const work = this.#work(name, options === 'damaged' || mayBlock(options), call);
    await assertNoAttempt(work);
    await unmountData(path, work);
  }

  /** Moves the volume out of its name; gives the piece to delete. The caller has the volume's lock. */
  async #takeName(name: string, call: CallOptions): Promise<string | undefined> {
    const volume = findVolumeDirectory(this.#paths.dir, name);
    if (volume === undefined) return undefined;
    const holders = this.#holders.list(name);
    if (holders.length > 0) {
      throw engineError('LOCAL_VOLUME_IN_USE', `volume ${quote(name)} is mounted for ${holders.length} holder(s)`, {
        details: { name, holders },
      });
    }
    await this.#unmountOwn(volume, call);
    assertNoMounts(name, volume.path);
    const piece = newToken();
    try {
      renameSync(volume.path, join(this.#paths.trash, piece));
      syncDirectory(this.#paths.dir);
    } catch (error) {
      throw ioError('remove', volume.path, error);
    }
    this.#holders.forget(name);
    return piece;
  }

  async #discard(name: string, piece: string, call: CallOptions): Promise<void> {
    try {
      await discardPiece(this.#paths.trash, piece, call);
    } catch (error) {
      // Something was mounted in it since the last look.
      if (errnoOf(error) === 'EXDEV' || errnoOf(error) === 'EBUSY')
        assertNoMounts(name, join(this.#paths.trash, piece));
      throw error;
    }
  }
}

/** What its mount is made with; `undefined` for a plain volume. Options that can't be read may be a mount's. */
function mountOptions(dir: string, name: string): LocalVolumeOptions | 'damaged' | undefined {
  try {
    const stored = findVolume(dir, name)?.stored;
    return stored !== undefined && needsMount(stored) ? stored : undefined;
  } catch (error) {
    if (EngineError.is(error, 'DATA_LOSS')) return 'damaged';
    throw error;
  }
}

async function applyLimit(
  volume: VolumeDirectory,
  { sizeBytes, projectId }: StoredOptions,
  call: CallOptions,
): Promise<void> {
  if (sizeBytes === undefined || projectId === undefined) return;
  using quota = ProjectQuota.open(volume.mountpoint);
  quota.limit(projectId, sizeBytes);
  await quota.adopt(projectId, call);
}

function assertSame(name: string, found: LocalVolumeOptions | undefined, wanted: LocalVolumeOptions): void {
  const has = found ?? { type: '', device: '', o: '' };
  const keys = (['type', 'device', 'o', 'sizeBytes'] as const).filter((key) => has[key] !== wanted[key]);
  if (keys.length === 0) return;
  const names = keys.map((key) => (key === 'sizeBytes' ? 'size' : key));
  throw engineError('LOCAL_VOLUME_EXISTS', `volume ${quote(name)} exists with other ${names.join(', ')}`, {
    details: { name, keys: names },
  });
}

function assertNoMounts(name: string, path: string): void {
  const mounts = readMountInfo()
    .map((mount) => mount.mountPoint)
    .filter((at) => at === path || at.startsWith(`${path}/`));
  if (mounts.length === 0) return;
  throw engineError(
    'LOCAL_VOLUME_HAS_MOUNTS',
    `volume ${quote(name)} has ${mounts.length} mount(s) of the host in it`,
    {
      details: { name, mounts },
    },
  );
}

function findIfThere(dir: string, name: string): VolumeDirectory | undefined {
  try {
    return findVolumeDirectory(dir, name);
  } catch (error) {
    // Exchanged since it was listed.
    if (EngineError.is(error, undefined, 'LOCAL_VOLUME_UNSAFE')) return undefined;
    throw error;
  }
}
