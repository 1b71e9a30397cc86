import type { LayerTarget } from '../../archive/index.js';
import { UnpackJob, type UnpackRequest, type UnpackResult } from './unpack-job.js';

/** A layer that is being unpacked somewhere. */
export interface Unpacking {
  /** Says how many bytes the file has by now. */
  feed(available: number): void;
  /** Rejects with what is wrong with the layer, and with CANCELED once it is dropped. Never unhandled. */
  readonly done: Promise<UnpackResult>;
  /** After `done`: finishes a detached layer; false when it has to be unpacked again in `target`. */
  settle(target: LayerTarget): Promise<boolean>;
  /** Gives up what runs and frees what is kept for `settle`; resolves when nothing of it writes any more. Idempotent. */
  drop(): Promise<void>;
}

/** Unpacks on the calling thread. */
export function unpackHere(request: UnpackRequest, onRead: (position: number) => void): Unpacking {
  const job = new UnpackJob(request, onRead);
  const done = job.run();
  done.catch(() => {});
  return {
    done,
    feed: (available) => job.feed(available),
    settle: async (target) => job.settle(target),
    drop: async () => {
      job.cancel();
      await done.catch(() => {});
    },
  };
}
