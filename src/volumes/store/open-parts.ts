import { mkdirSync } from 'node:fs';
import { type EventInput, EventJournal } from '../../events/index.js';
import { openLayout } from '../../state/index.js';
import { assertKnownOptions, type KnownOptions } from '../../util/known-options.js';
import { createLog } from '../../util/log.js';
import type { CallOptions } from '../../util/signals.js';
import type { StoreDeps } from './deps.js';
import { Operations } from './operations.js';
import type { Measure, StoreDriver, StoreDrivers } from './ports.js';
import { recoverVolumes, Sessions } from './recover-volumes.js';
import type { VolumeHolder } from './types.js';
import { VolumeFiles } from './volume-files.js';

/** What is needed of a DriverStore. */
export type DriverSource = Pick<StoreDrivers, 'find' | 'get' | 'all'>;

/** Options of `VolumeStore.open`. @public */
export interface VolumeStoreOptions extends CallOptions {
  /** Absolute path of the state root, the same as an engine's; made when missing. */
  readonly root: string;
  /** @defaultValue one per root, below `/run/caisson`; all processes of a root must agree on it */
  readonly runDir?: string;
  readonly drivers: DriverSource;
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
  /** @internal */
  readonly measure?: Measure;
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
  measure: true,
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
  const { root, runDir, drivers, holderExists = () => true, busyTimeoutMs = 150_000, probeTimeoutMs = 3_000 } = options;
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
  const same = (a: string, b: string) => a.replace(/:latest$/, '') === b.replace(/:latest$/, '');
  const deps: StoreDeps = {
    files,
    drivers: {
      find: (name, call) => drivers.find(name, call),
      get: (name, call) => drivers.get(name, call),
      all: (call) => drivers.all(call),
      same,
    },
    operations,
    measure: options.measure ?? (async () => Promise.reject(new Error('no measure'))),
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

export type { StoreDriver };
