import type { ProcessIdentity } from '../../os/process-identity.js';
import type { CallOptions } from '../../util/signals.js';
import type { GuardedDriver } from '../drivers/index.js';

/** A driver as the store calls it: behind deadlines and answer checks, so that every call ends. @public */
export type StoreDriver = Pick<
  GuardedDriver,
  'name' | 'source' | 'generation' | 'scope' | 'create' | 'remove' | 'mount' | 'unmount' | 'get' | 'list'
>;

/** The drivers of one store. */
export interface StoreDrivers {
  /** `undefined` when there is none of that name for sure. */
  find(name: string, call: CallOptions): Promise<StoreDriver | undefined>;
  /** Throws when there is none of that name. */
  get(name: string, call: CallOptions): Promise<StoreDriver>;
  /** All that can be found now, in the order in which they win a name, and what could not be asked. */
  all(call: CallOptions): Promise<{
    readonly drivers: readonly StoreDriver[];
    readonly problems: readonly { readonly name: string; readonly error: Error }[];
  }>;
  /** True when both names mean one driver: with and without tag. */
  same(a: string, b: string): boolean;
}

/** Sizes of directories. */
export type Measure = (
  path: string,
  options: CallOptions & { readonly onProgress?: (bytes: number) => void },
) => Promise<number>;

/** One piece of work on a volume that spans driver I/O; who does it, so that others know whether it still goes on. */
export interface Operation {
  readonly process: ProcessIdentity;
  readonly token: string;
}
