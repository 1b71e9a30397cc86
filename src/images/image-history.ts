import type { ImageDeps } from './image-deps.js';
import type { ImageRecord } from './image-record.js';
import { readConfig } from './resolve-image.js';
import type { Digest } from './types.js';

/** One step of how an image was built. @public */
export interface ImageHistoryEntry {
  /** When the step was done; `undefined` when it does not say. */
  readonly createdAt: Date | undefined;
  /** The build step, as the builder wrote it: foreign text. */
  readonly createdBy: string;
  /** The builder's comment: foreign text. */
  readonly comment: string;
  /** Who built it: foreign text. */
  readonly author: string;
  /** Unpacked bytes of the step's layer; 0 for steps that only changed the config. */
  readonly sizeBytes: number;
  /** The layer of the step; `undefined` for steps without one. */
  readonly diffId: Digest | undefined;
}

/** The steps, newest first. Layers that the config's history does not tell of come as steps without text. */
export function historyOf(deps: Pick<ImageDeps, 'content'>, record: ImageRecord): ImageHistoryEntry[] {
  const steps: ImageHistoryEntry[] = [];
  let layer = 0;
  const takeLayer = () => {
    const diffId = record.diffIds[layer];
    const sizeBytes = record.layerBytes[layer] ?? 0;
    layer++;
    return { diffId, sizeBytes };
  };
  for (const entry of readConfig(deps, record).history) {
    steps.push({
      createdAt: entry.created,
      createdBy: entry.createdBy,
      comment: entry.comment,
      author: entry.author,
      ...(entry.emptyLayer ? { diffId: undefined, sizeBytes: 0 } : takeLayer()),
    });
  }
  while (layer < record.diffIds.length) {
    steps.push({ createdAt: undefined, createdBy: '', comment: '', author: '', ...takeLayer() });
  }
  return steps.reverse();
}
