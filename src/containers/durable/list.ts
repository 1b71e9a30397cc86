import { isAlive } from '../../os/index.js';
import { assertKnownOptions, type KnownOptions } from '../../util/known-options.js';
import { type CallOptions, throwIfAborted } from '../../util/signals.js';
import type { ContainerDeps } from '../deps.js';
import type { ContainerRecord } from '../record.js';
import { type ContainerStatus, isLive } from '../status.js';
import { settleExit } from './settle.js';

/** One row of `containers.list`. @public */
export interface ContainerSummary {
  /** 64 hex digits. */
  readonly id: string;
  /** Throwaway containers may have none. */
  readonly name: string | undefined;
  /** `ephemeral`: a throwaway container of some process; only that process has its handle. */
  readonly kind: 'durable' | 'ephemeral';
  /** Where it is in its life. */
  readonly status: ContainerStatus;
  /** The image's reference as it was given; `undefined` for one on a `rootfs`. */
  readonly image: string | undefined;
  /** Digest of the image's config. */
  readonly imageId: string | undefined;
  /** Entrypoint and command together. */
  readonly command: readonly string[];
  /** The labels it was given; those of its image are not among them. */
  readonly labels: Readonly<Record<string, string>>;
  /** When it was created. */
  readonly createdAt: Date;
  /** Exit code of the last run, 128 + n for a signal, -1 when it was lost; `undefined` while it runs and before it ran. */
  readonly exitCode: number | undefined;
}

/** Which containers; all filters that are given must fit. @public */
export interface ListContainersOptions extends CallOptions {
  /** Also those that don't run. @defaultValue false */
  readonly all?: boolean;
  /** Only of these statuses; implies `all`. */
  readonly status?: readonly ContainerStatus[];
  /** Only with these labels; `true`: any value. */
  readonly labels?: Readonly<Record<string, string | true>>;
  /** Only those whose name contains this. */
  readonly name?: string;
  /** Only durable ones, or only throwaway ones. @defaultValue both */
  readonly kind?: ContainerSummary['kind'];
}

const KNOWN: KnownOptions<ListContainersOptions> = {
  signal: true,
  all: true,
  status: true,
  labels: true,
  name: true,
  kind: true,
};

/** Lists containers of the root, those of other processes too; newest first. Damaged records are left out here and reported by `doctor`. */
export async function listContainers(
  deps: ContainerDeps,
  options: ListContainersOptions = {},
): Promise<ContainerSummary[]> {
  assertKnownOptions(options, KNOWN);
  throwIfAborted(options.signal);
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
    if (current !== undefined) rows.push(summarizeContainer(current));
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

/** The row of a durable container. */
export function summarizeContainer(record: ContainerRecord): ContainerSummary {
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

function matches(row: ContainerSummary, options: ListContainersOptions): boolean {
  if (options.status !== undefined) {
    if (!options.status.includes(row.status)) return false;
  } else if (!options.all && !isLive(row.status)) {
    return false;
  }
  if (options.kind !== undefined && row.kind !== options.kind) return false;
  if (options.name !== undefined && !(row.name ?? '').includes(options.name)) return false;
  return Object.entries(options.labels ?? {}).every(
    ([key, value]) => Object.hasOwn(row.labels, key) && (value === true || row.labels[key] === value),
  );
}
