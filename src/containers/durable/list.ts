import { isAlive } from '../../os/index.js';
import type { CallOptions } from '../../util/signals.js';
import type { ContainerDeps } from '../deps.js';
import type { ContainerRecord } from '../record.js';
import { type ContainerStatus, isLive } from '../status.js';
import { settleExit } from './settle.js';

/** One row of `containers.list`. @public */
export interface ContainerSummary {
  readonly id: string;
  /** Throwaway containers may have none. */
  readonly name: string | undefined;
  readonly kind: 'durable' | 'ephemeral';
  readonly status: ContainerStatus;
  readonly image: string | undefined;
  readonly imageId: string | undefined;
  readonly command: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly createdAt: Date;
  /** Of the last run that ended. */
  readonly exitCode: number | undefined;
}

/** @public */
export interface ListOptions extends CallOptions {
  /** Also those that don't run. @defaultValue false */
  readonly all?: boolean;
  /** Only of these statuses; implies `all`. */
  readonly status?: readonly ContainerStatus[];
  /** Only with these labels; `true`: any value. */
  readonly labels?: Readonly<Record<string, string | true>>;
  /** Only those whose name contains this. */
  readonly name?: string;
}

/** Lists containers of the root, those of other processes too; newest first. Damaged records are left out here and reported by `doctor`. */
export async function listContainers(deps: ContainerDeps, options: ListOptions = {}): Promise<ContainerSummary[]> {
  const { records } = deps.repository.list();
  const rows: ContainerSummary[] = deps.repository.listEphemeral().map((record) => ({
    id: record.id,
    name: record.name,
    kind: 'ephemeral',
    status: 'running',
    image: record.image,
    imageId: record.imageId,
    command: record.command,
    labels: record.labels,
    createdAt: new Date(record.createdAt),
    exitCode: undefined,
  }));
  for (const record of records.values()) {
    const current = await upToDate(deps, record, options);
    if (current !== undefined) rows.push(toSummary(current));
  }
  return rows.filter((row) => matches(row, options)).sort((a, b) => b.createdAt.getTime() - a.createdAt.getTime());
}

/** A record that says "running" of a process that is gone is settled before it is shown. */
async function upToDate(
  deps: ContainerDeps,
  record: ContainerRecord,
  call: CallOptions,
): Promise<ContainerRecord | undefined> {
  if (!isLive(record.status) || (record.task !== undefined && isAlive(record.task.init))) return record;
  await settleExit(deps, record.id, call);
  return deps.repository.find(record.id);
}

function toSummary(record: ContainerRecord): ContainerSummary {
  const { options } = record;
  return {
    id: record.id,
    name: record.name,
    kind: 'durable',
    status: record.status,
    image: record.image?.reference,
    imageId: record.image?.id,
    command: [
      ...(options.entrypoint ?? record.image?.config.entrypoint ?? []),
      ...(options.command ?? record.image?.config.cmd ?? []),
    ],
    labels: options.labels ?? {},
    createdAt: new Date(record.createdAt),
    exitCode: isLive(record.status) ? undefined : record.lastExit?.exitCode,
  };
}

function matches(row: ContainerSummary, options: ListOptions): boolean {
  if (options.status !== undefined) {
    if (!options.status.includes(row.status)) return false;
  } else if (!options.all && !isLive(row.status)) {
    return false;
  }
  if (options.name !== undefined && !(row.name ?? '').includes(options.name)) return false;
  return Object.entries(options.labels ?? {}).every(
    ([key, value]) => Object.hasOwn(row.labels, key) && (value === true || row.labels[key] === value),
  );
}
