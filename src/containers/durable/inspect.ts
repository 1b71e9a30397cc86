import type { SnapshotUsage } from '../../snapshots/snapshotter.js';
import type { ContainerOptions } from '../../spec/container-options.js';
import { collectMounts } from '../../spec/index.js';
import { assertKnownOptions, type KnownOptions } from '../../util/known-options.js';
import type { CallOptions } from '../../util/signals.js';
import type { ContainerDeps } from '../deps.js';
import type { ContainerRecord, RecordedError } from '../record.js';
import { isLive } from '../status.js';
import { type ContainerMount, describeMounts } from '../volumes/describe-mounts.js';
import { type ContainerSummary, summarizeContainer } from './list.js';

/** Everything that is known of a durable container: its row of `containers.list`, and more. @public */
export interface ContainerDetails extends ContainerSummary {
  /** Unique in the root. */
  readonly name: string;
  /** Always `durable`. */
  readonly kind: 'durable';
  /** What it was created with, checked and in normal form. */
  readonly options: ContainerOptions;
  /** It is removed when it has exited. */
  readonly autoRemove: boolean;
  /** Name of the runtime that it was created with. */
  readonly runtime: string;
  /** Who holds it while it runs: `conmon` or `shim`. */
  readonly supervisor: string | undefined;
  /** Number of starts so far. */
  readonly runs: number;
  /** Start of the current or last run; `undefined` before the first. */
  readonly startedAt: Date | undefined;
  /** End of the last run that ended. */
  readonly finishedAt: Date | undefined;
  /** True when the kernel killed the last run that ended for its memory limit. */
  readonly oomKilled: boolean;
  /** Host pid of init while it runs. */
  readonly pid: number | undefined;
  /** Why the last start failed. */
  readonly error: RecordedError | undefined;
  /** Where its output is kept (CRI format); read it with `logs`. */
  readonly logPath: string;
  /** Binds, volumes and tmpfs mounts from all sources, parents before children. */
  readonly mounts: readonly ContainerMount[];
  /** What it has written to its root file system; only with `size`. */
  readonly rootUsage?: SnapshotUsage;
}

/** Options of `container.inspect`. @public */
export interface InspectContainerOptions extends CallOptions {
  /** Count what it has written to its root file system too: walks all of it. @defaultValue false */
  readonly size?: boolean;
}

const KNOWN: KnownOptions<InspectContainerOptions> = { signal: true, size: true };

export async function inspectContainer(
  deps: Pick<ContainerDeps, 'repository' | 'snapshotter'>,
  id: string,
  options: InspectContainerOptions = {},
): Promise<ContainerDetails> {
  assertKnownOptions(options, KNOWN);
  const record = deps.repository.read(id);
  const details = describe(record, `${deps.repository.directory(id)}/ctr.log`);
  return options.size ? { ...details, rootUsage: await deps.snapshotter.usage(id, options) } : details;
}

function describe(record: ContainerRecord, logPath: string): ContainerDetails {
  const live = isLive(record.status);
  return {
    ...summarizeContainer(record),
    name: record.name,
    kind: 'durable',
    options: record.options,
    autoRemove: record.autoRemove,
    runtime: record.runtime,
    supervisor: record.supervisor,
    runs: record.runs,
    startedAt: record.startedAt === undefined ? undefined : new Date(record.startedAt),
    finishedAt: record.lastExit === undefined ? undefined : new Date(record.lastExit.finishedAt),
    oomKilled: record.lastExit?.oomKilled ?? false,
    pid: live ? record.task?.init.pid : undefined,
    error: record.error,
    mounts: describeMounts(record.mounts ?? collectMounts(record.options)),
    logPath,
  };
}
