import type { CallOptions } from '../../util/signals.js';
import type { GuardedDriver } from './guarded-driver.js';

/**
 * Says that a holder needs a driver: a managed plugin can't be disabled, and a host's driver not be unregistered,
 * meanwhile. It is about this process; what needs a driver for longer is read from records, not from leases.
 *
 * @public
 */
export interface DriverLease extends AsyncDisposable {
  /** The driver, to be used. */
  readonly driver: GuardedDriver;
  /** Whose lease it is. */
  readonly holder: string;
  /** Ends it. Never throws, also when the driver is gone, hangs, or was released before. */
  release(): Promise<void>;
}

/** What keeps a plugin enabled, where that is needed. */
export interface PluginHold {
  hold(call: CallOptions): Promise<void>;
  release(): Promise<void>;
}

/** Who holds which driver. A holder may hold one several times: it holds until the last lease is released. */
export class LeaseBook {
  readonly #leases = new Map<string, Map<string, number>>();

  /** True when it is the holder's first lease of the driver. */
  add(key: string, holder: string): boolean {
    const holders = this.#leases.get(key) ?? new Map<string, number>();
    this.#leases.set(key, holders);
    const count = (holders.get(holder) ?? 0) + 1;
    holders.set(holder, count);
    return count === 1;
  }

  /** True when it was the holder's last lease of the driver. */
  drop(key: string, holder: string): boolean {
    const holders = this.#leases.get(key);
    const count = holders?.get(holder);
    if (holders === undefined || count === undefined) return false;
    if (count > 1) {
      holders.set(holder, count - 1);
      return false;
    }
    holders.delete(holder);
    if (holders.size === 0) this.#leases.delete(key);
    return true;
  }

  holders(key: string): string[] {
    return [...(this.#leases.get(key)?.keys() ?? [])].sort();
  }
}
