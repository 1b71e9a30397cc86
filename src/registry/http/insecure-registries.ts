import type { BlockList } from 'node:net';
import { engineError, quote } from '../../errors/index.js';
import { isRegistryHost } from '../names.js';
import { bareHost, blockList, isAddressRange, isListed, isLoopbackHost } from './addresses.js';

/**
 * How a registry is reached. `secure`: https, verified. `loopback`: plain http too, since nothing leaves the machine, but
 * where it speaks TLS that is verified. `insecure`: https unverified or plain http.
 */
export type Security = 'secure' | 'loopback' | 'insecure';

/**
 * The registries that the user listed as insecure: `host`, `host:port`, or a range of addresses. A range counts only for
 * registries that are named by address: what DNS says must not switch verification off.
 */
export class InsecureRegistries {
  readonly #hosts = new Set<string>();
  readonly #ranges: BlockList;
  readonly #allowsLoopback: boolean;

  /** Throws BAD_OPTION. */
  constructor(entries: readonly string[], allowsLoopback: boolean) {
    const ranges: string[] = [];
    for (const entry of entries) {
      if (typeof entry === 'string' && isAddressRange(entry)) ranges.push(entry);
      else if (isRegistryHost(entry)) this.#hosts.add(entry.toLowerCase());
      else {
        throw engineError(
          'BAD_OPTION',
          `field insecureRegistries: ${quote(entry)} is no host[:port] or address range`,
          {
            details: { field: 'insecureRegistries', value: quote(entry) },
          },
        );
      }
    }
    this.#ranges = blockList(ranges);
    this.#allowsLoopback = allowsLoopback;
  }

  of(host: string): Security {
    const name = host.toLowerCase();
    if (this.#hosts.has(name) || isListed(this.#ranges, bareHost(name))) return 'insecure';
    return this.#allowsLoopback && isLoopbackHost(name) ? 'loopback' : 'secure';
  }
}
