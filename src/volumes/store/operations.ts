import { identifyProcess, isAlive, type ProcessIdentity } from '../../os/process-identity.js';
import { newToken } from '../../util/ids.js';
import type { Operation } from './ports.js';

/** The operations of one open store, and whether those of others still go on. */
export class Operations {
  readonly process = identifyProcess(process.pid) as ProcessIdentity;
  readonly #session = newToken();
  readonly #running = new Set<string>();
  #count = 0;

  begin(): Operation {
    const token = `${this.#session}.${(this.#count++).toString(36)}`;
    this.#running.add(token);
    return { process: this.process, token };
  }

  end(operation: Operation): void {
    this.#running.delete(operation.token);
  }

  /** False when nobody will finish it: its process is gone, or this store gave it up and could not write so. */
  isRunning(operation: Operation | undefined): operation is Operation {
    if (operation === undefined) return false;
    if (operation.token.startsWith(`${this.#session}.`)) return this.#running.has(operation.token);
    return isAlive(operation.process);
  }
}
