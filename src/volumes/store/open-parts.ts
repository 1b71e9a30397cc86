import { mkdirSync } from 'node:fs';
import { type EventInput, EventJournal } from '../../events/index.js';
import { openLayout } from '../../state/index.js';
import { assertKnownOptions, type KnownOptions } from '../../util/known-options.js';
import { createLog } from '../../util/log.js';
import type { CallOptions } from '../../util/signals.js';
import { DriverStore, type GuardedDriver, guardDriver, sameDriver } from '../drivers/index.js';
import { LocalVolumeDriver, type MeasureOptions, measureDirectory } from '../local/index.js';
import type { VolumeDriver } from '../volume-driver.js';
import type { StoreDeps } from './deps.js';
import { Operations } from './operations.js';
import type { Measure, StoreDriver } from './ports.js';
import { recoverVolumes, Sessions } from './recover-volumes.js';
import type { VolumeHolder } from './types.js';
import { VolumeFiles } from './volume-files.js';

/** Drivers as a VolumeStore asks for them; a DriverStore is one. @public */
export interface VolumeDrivers {
  /** The same drivers with a built-in one for this root. */
  withBuiltIn(local: GuardedDriver): {
    /** `undefined` when there is none for sure. */
    find(name: string, call?: CallOptions): Promise<StoreDriver | undefined>;
    /** Throws when there is none. */
    get(name: string, call?: CallOptions): Promise<StoreDriver>;
    /** In the order in which they win a name, with what could not be asked. */
    all(call?: CallOptions): Promise<{
      readonly drivers: readonly StoreDriver[];
      readonly problems: readonly { readonly name: string; readonly error: Error }[];
    }>;
  };
}

/** Options of `VolumeStore.open`. @public */
export interface VolumeStoreOptions extends CallOptions {
  /** Absolute path of the state root, the same as an engine's; made when missing. */
  readonly root: string;
  /** @defaultValue one per root, below `/run/caisson`; all processes of a root must agree on it */
  readonly runDir?: string;
  /** Where its drivers come from, beside the built-in `local`. @defaultValue there are no others */
  readonly drivers?: VolumeDrivers;
  /**
   * False when the container of a holder of kind `container` is gone for good: its hold is dropped then. It must say
   * true from before the hold is made until after it is released, also while the container is only being created.
   * @defaultValue they all exist
   */
  readonly holderExists?: (holder: VolumeHolder) => boolean;
  /** Where events go. @defaultValue the journal of the root */
  readonly emit?: (event: EventInput) => void;
  /** How long a call waits for another's work on the same volume, milliseconds. @defaultValue 150000 */
  readonly busyTimeoutMs?: number;
  /** How long `create` without a driver waits for drivers that may have the name, milliseconds. @defaultValue 3000 */
  readonly probeTimeoutMs?: number;
}

const KNOWN: KnownOptions<VolumeStoreOptions> = {
  signal: true,
  root: true,
  runDir: true,
  drivers: true,
  holderExists: true,
  emit: true,
  busyTimeoutMs: true,
  probeTimeoutMs: true,
};

export interface VolumeStoreParts {
  readonly deps: StoreDeps;
  readonly recovery: Promise<void>;
  readonly journal: () => EventJournal;
  readonly close: () => Promise<void>;
}

const log = createLog('volumes');

export async function openParts(options: VolumeStoreOptions): Promise<VolumeStoreParts> {
  assertKnownOptions(options, KNOWN);
  const { root, runDir, holderExists = () => true, busyTimeoutMs = 150_000, probeTimeoutMs = 3_000 } = options;
  const layout = openLayout({ root, ...(runDir !== undefined && { runDir }) });
  const files = new VolumeFiles(layout);
  const operations = new Operations();
  let opened: EventJournal | undefined;
  const journal = () => (opened ??= new EventJournal({ dir: layout.dir('events') }));
  const emit = options.emit ?? ((event: EventInput) => appendQuietly(journal(), event));
  const ending = new AbortController();
  const tasks = new Set<Promise<void>>();
  const background = (work: (call: CallOptions) => Promise<void>) => {
    const task = work({ signal: ending.signal })
      .catch((error: unknown) => log('background work failed: %o', error))
      .finally(() => tasks.delete(task));
    tasks.add(task);
  };
  const volatile = new Set<string>();
  const local = await LocalVolumeDriver.open({
    dir: `${layout.dir('volumes')}/local`,
    runDir: layout.runPath('volumes', 'local'),
    ...(options.signal !== undefined && { signal: options.signal }),
  });
  const own = options.drivers === undefined ? await DriverStore.open() : undefined;
  const drivers = (own ?? (options.drivers as VolumeDrivers)).withBuiltIn(guardLocal(local, volatile));
  const deps: StoreDeps = {
    files,
    drivers: {
      find: (name, call) => drivers.find(name, call),
      get: (name, call) => drivers.get(name, call),
      all: (call) => drivers.all(call),
      same: sameDriver,
    },
    volatile,
    operations,
    measure: async (path, options) => (await measureDirectory(path, toMeasure(options))).bytes,
    now: () => new Date(),
    emit,
    holderExists,
    background,
    busyTimeoutMs,
    probeTimeoutMs,
  };
  mkdirSync(layout.runPath('volumes', 'sessions'), { recursive: true, mode: 0o700 });
  const sessions = new Sessions(layout, operations.process);
  const dead = sessions.dead();
  sessions.enter();
  let finished!: () => void;
  const recovery = new Promise<void>((resolve) => {
    finished = resolve;
  });
  background(async (call) => {
    try {
      const clean = await recoverVolumes(deps, dead === undefined || dead.length > 0, call);
      if (clean) sessions.forget(dead);
    } finally {
      finished();
    }
  });
  const close = async () => {
    ending.abort();
    await Promise.all(tasks);
    await local.close();
    await own?.close();
    sessions.leave();
    opened?.close();
    opened = undefined;
  };
  return { deps, recovery, journal, close };
}

/** What happened has happened: a full disk must not make a mount fail that stands. */
function appendQuietly(journal: EventJournal, event: EventInput): void {
  try {
    journal.append(event);
  } catch (error) {
    log('event %s of volume %s could not be written: %o', event.action, event.id, error);
  }
}

/** What belongs to one process is not worth flushing its directories. */
function guardLocal(local: LocalVolumeDriver, volatile: ReadonlySet<string>): GuardedDriver {
  const driver: VolumeDriver = {
    name: local.name,
    scope: local.scope,
    create: (request, call) => local.create({ ...request, durable: !volatile.has(request.name) }, call),
    remove: (name, call) => local.remove(name, call),
    mount: (request, call) => local.mount(request, call),
    unmount: (request, call) => local.unmount(request, call),
    get: (name) => local.get(name),
    list: (call) => local.list(call),
  };
  return guardDriver(driver, { source: 'built-in' });
}

function toMeasure({ onProgress, ...call }: Parameters<Measure>[1]): MeasureOptions {
  return onProgress === undefined ? call : { ...call, onProgress: ({ bytes }) => onProgress(bytes) };
}
