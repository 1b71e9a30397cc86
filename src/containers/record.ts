import type { ImageHealthcheck, ImageRunConfig } from '../images/types.js';
import type { SupervisedTask } from '../runtime/supervisor.js';
import type { UserMount } from '../spec/collect-mounts.js';
import type { ContainerOptions } from '../spec/container-options.js';
import type { ContainerStatus } from './status.js';

/** An error as records keep it. @public */
export interface RecordedError {
  /** `code` of the EngineError. */
  readonly code: string;
  /** `reason` of the EngineError. */
  readonly reason: string;
  /** `message` of the EngineError, with its remedy. */
  readonly message: string;
}

/** How a run of a durable container ended. */
export interface LastExit {
  /** Which run: 1 for the first start. */
  readonly run: number;
  readonly exitCode: number;
  readonly finishedAt: string;
  readonly oomKilled: boolean;
}

/** The image's run config in JSON shape: Maps become arrays of pairs. */
export interface StoredImage {
  readonly id: string;
  readonly reference: string;
  readonly chainId: string | undefined;
  readonly config: Omit<ImageRunConfig, 'labels'> & { readonly labels: readonly (readonly [string, string])[] };
}

/** What is kept of a durable container: `<root>/v1/containers/<id>/record.json`. */
export interface ContainerRecord {
  readonly id: string;
  readonly name: string;
  readonly createdAt: string;
  readonly options: ContainerOptions;
  readonly image: StoredImage | undefined;
  readonly runtime: string;
  readonly supervisor: 'conmon' | 'shim' | undefined;
  readonly autoRemove: boolean;
  /** Its mounts from all sources, each volume with its name. Missing in records that were written before there were volumes. */
  readonly mounts?: readonly UserMount[];
  /** It is being removed together with its anonymous volumes. */
  readonly removeVolumes?: boolean;
  readonly status: ContainerStatus;
  /** Number of starts so far. */
  readonly runs: number;
  readonly startedAt?: string;
  readonly task?: SupervisedTask;
  readonly lastExit?: LastExit;
  readonly error?: RecordedError;
}

export function storeImage(
  image: { id: string; chainId: string | undefined; config: ImageRunConfig },
  reference: string,
): StoredImage {
  return {
    id: image.id,
    reference,
    chainId: image.chainId,
    config: { ...image.config, labels: [...image.config.labels] },
  };
}

export function loadImageConfig(stored: StoredImage): ImageRunConfig {
  return { ...stored.config, labels: new Map(stored.config.labels) };
}

export type { ImageHealthcheck };
