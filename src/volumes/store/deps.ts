import type { EventInput } from '../../events/index.js';
import type { CallOptions } from '../../util/signals.js';
import type { Operations } from './operations.js';
import type { Measure, StoreDrivers } from './ports.js';
import type { VolumeHolder } from './types.js';
import type { VolumeFiles } from './volume-files.js';

/** What the verbs of a volume store work with. */
export interface StoreDeps {
  readonly files: VolumeFiles;
  readonly drivers: StoreDrivers;
  readonly operations: Operations;
  /** Names of volumes that are just being made for one process. */
  readonly volatile: Set<string>;
  readonly measure: Measure;
  readonly now: () => Date;
  readonly emit: (event: EventInput) => void;
  /**
   * False when the container that holds a volume is gone for good. Asked under the volume's lock, so it must be quick
   * and must not come back to the store.
   */
  readonly holderExists: (holder: VolumeHolder) => boolean;
  /** Cleaning up that no caller waits for; ends with the store. */
  readonly background: (work: (call: CallOptions) => Promise<void>) => void;
  /** How long a call waits for another process's work on the same volume. */
  readonly busyTimeoutMs: number;
  /** How long `create` without a driver waits for drivers to say whether they have the name. */
  readonly probeTimeoutMs: number;
}
