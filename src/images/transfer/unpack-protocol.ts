import type { LayerTarget } from '../../archive/index.js';
import type { ErrorMessage } from './error-message.js';
import type { UnpackRequest, UnpackResult } from './unpack-job.js';

/** To the thread; `job` is a number that the sender chose. */
export type ToWorker =
  | { readonly op: 'start'; readonly job: number; readonly request: UnpackRequest }
  | { readonly op: 'feed'; readonly job: number; readonly available: number }
  | { readonly op: 'settle'; readonly job: number; readonly target: LayerTarget }
  /** Cancels what runs and forgets the job. */
  | { readonly op: 'drop'; readonly job: number };

export type FromWorker =
  /** The code is loaded. */
  | { readonly op: 'ready' }
  | { readonly op: 'read'; readonly job: number; readonly position: number }
  | { readonly op: 'done'; readonly job: number; readonly result: UnpackResult }
  | { readonly op: 'settled'; readonly job: number; readonly isSettled: boolean }
  | { readonly op: 'failed'; readonly job: number; readonly error: ErrorMessage };
