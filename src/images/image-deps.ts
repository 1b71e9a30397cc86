import type { RecordStore } from '../state/index.js';
import type { CallOptions } from '../util/signals.js';
import type { ContentStore } from './content-store.js';
import type { ImageRecord, TagRecord } from './image-record.js';
import type { LayerStore } from './layer-store.js';
import type { Leases, StoreLock } from './leases.js';
import type { PartialBlobs } from './transfer/partial-blobs.js';
import type { Digest } from './types.js';

/** What happened to an image; the engine puts it on its event bus. @public */
export interface ImageEvent {
  readonly type: 'image';
  readonly action: 'import' | 'pull' | 'tag' | 'untag' | 'delete';
  /** Image id. */
  readonly id: Digest;
  readonly attributes: Readonly<Record<string, string>>;
}

/** The parts of the image store; each verb takes those it names. */
export interface ImageDeps {
  readonly images: RecordStore<ImageRecord>;
  readonly tags: RecordStore<TagRecord>;
  readonly content: ContentStore;
  readonly layers: LayerStore;
  readonly partials: PartialBlobs;
  readonly leases: Leases;
  /** Held for record changes and garbage collection, never while content is read or unpacked. */
  readonly lock: StoreLock;
  readonly now: () => Date;
  readonly emit: (event: ImageEvent) => void;
}

/** Containers that use an image, by id. */
export type ImageHolders = (imageId: Digest, call?: CallOptions) => readonly string[] | Promise<readonly string[]>;
