import type { SnapshotUsage } from '../../snapshots/snapshotter.js';
import type { ContainerOptions } from '../../spec/container-options.js';
import type { CallOptions } from '../../util/signals.js';
import type { ContainerDeps } from '../deps.js';
import type { ContainerRecord, RecordedError } from '../record.js';
import { type ContainerStatus, isLive } from '../status.js';

/** What is known of a durable container. @public */
export interface ContainerDetails {
  readonly id: string;
  readonly name: string;
  readonly createdAt: Date;
  readonly status: ContainerStatus;
  readonly imageId: string | undefined;
  readonly imageReference: string | undefined;
  readonly options: ContainerOptions;
  readonly autoRemove: boolean;
  readonly runtime: string;
  readonly supervisor: string | undefined;
  /** Number of starts so far. */
  readonly runs: number;
  readonly startedAt: Date | undefined;
  /** End of the last run. */
  readonly finishedAt: Date | undefined;
  /** Exit code of the last run; -1 when it was lost. */
  readonly exitCode: number | undefined;
  readonly oomKilled: boolean;
  /** Host pid of init while it runs. */
  readonly pid: number | undefined;
  /** Why the last start failed. */
  readonly error: RecordedError | undefined;
  readonly logPath: string;
  /** Only with `size`. */
  readonly rootUsage?: SnapshotUsage;
}

export async function inspectContainer(
  deps: Pick<ContainerDeps, 'repository' | 'snapshotter'>,
  id: string,
  options: CallOptions & { size?: boolean } = {},
): Promise<ContainerDetails> {
  const record = deps.repository.read(id);
  const details = describe(record, `${deps.repository.directory(id)}/ctr.log`);
  return options.size ? { ...details, rootUsage: await deps.snapshotter.usage(id, options) } : details;
}

function describe(record: ContainerRecord, logPath: string): ContainerDetails {
  const live = isLive(record.status);
  return {
    id: record.id,
    name: record.name,
    createdAt: new Date(record.createdAt),
    status: record.status,
    imageId: record.image?.id,
    imageReference: record.image?.reference,
    options: record.options,
    autoRemove: record.autoRemove,
    runtime: record.runtime,
    supervisor: record.supervisor,
    runs: record.runs,
    startedAt: record.startedAt === undefined ? undefined : new Date(record.startedAt),
    finishedAt: record.lastExit === undefined ? undefined : new Date(record.lastExit.finishedAt),
    exitCode: live ? undefined : record.lastExit?.exitCode,
    oomKilled: record.lastExit?.oomKilled ?? false,
    pid: live ? record.task?.init.pid : undefined,
    error: record.error,
    logPath,
  };
}
