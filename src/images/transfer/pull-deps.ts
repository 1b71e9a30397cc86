import type { ImageDeps } from '../image-deps.js';
import type { Digest } from '../types.js';
import type { BlobSource, RemoteRepository } from './blob-source.js';
import type { PullTracker } from './progress.js';
import type { Slots } from './slots.js';
import type { UnpackPool } from './unpack-pool.js';

/** What the steps of one pull share. */
export interface PullDeps extends ImageDeps {
  readonly source: BlobSource;
  readonly repository: RemoteRepository;
  readonly pool: UnpackPool;
  readonly downloadSlots: Slots;
  /** What is unpacked at once takes memory. */
  readonly unpackSlots: Slots;
  readonly tracker: PullTracker;
  /** Token of the lease that names unfinished layers. */
  readonly owner: string;
}

/** A layer that an image needs. */
export interface LayerToPull {
  /** Place in the image, the lowest is 0. */
  readonly index: number;
  readonly digest: Digest;
  readonly size: number;
  readonly diffId: Digest;
  readonly chainId: Digest;
  readonly parent: Digest | undefined;
}
