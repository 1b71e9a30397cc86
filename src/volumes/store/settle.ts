import { assertSafeName } from '../../util/ids.js';
import { type CallOptions, sleep } from '../../util/signals.js';
import type { StoreDeps } from './deps.js';
import { volumeAttributes } from './events.js';
import { busy } from './failures.js';
import type { Operation } from './ports.js';
import type { VolumeRecord, VolumeState } from './volume-record.js';

const LONGEST_PAUSE_MS = 50;

/** Pauses that grow, up to a limit in all. */
export class Patience {
  readonly #deps: Pick<StoreDeps, 'busyTimeoutMs'>;
  readonly #endsAt: number;
  #pauseMs = 1;

  constructor(deps: Pick<StoreDeps, 'busyTimeoutMs'>) {
    this.#deps = deps;
    this.#endsAt = performance.now() + deps.busyTimeoutMs;
  }

  /** Waits for a moment. Throws VOLUME_BUSY at the limit, CANCELED. */
  async pause(volume: string, what: string, owner: Operation | undefined, { signal }: CallOptions): Promise<void> {
    if (performance.now() >= this.#endsAt) throw busy(volume, what, owner, this.#deps.busyTimeoutMs);
    await sleep(this.#pauseMs, { keepAlive: true, ...(signal !== undefined && { signal }) });
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
  }
}

/**
 * Runs `work` under the volume's lock at a moment when nobody is creating or removing it. What a living process does
 * is waited for (throws VOLUME_BUSY in the end); what a dead one began is brought to its end first. The lock itself is
 * never held while a driver is called.
 */
export async function whenSettled<T>(
  deps: StoreDeps,
  name: string,
  call: CallOptions,
  work: (record: VolumeRecord | undefined) => T,
): Promise<T> {
  assertSafeName('volume name', name);
  const patience = new Patience(deps);
  for (;;) {
    const step = await deps.files.locked(name, call, () => {
      const record = deps.files.find(name);
      if (record === undefined || record.state.status === 'ready') return { result: work(record) };
      if (deps.operations.isRunning(record.state.op)) return { running: record };
      return { cutOff: claim(deps, record) };
    });
    if ('result' in step) return step.result as T;
    if ('cutOff' in step) await takeOver(deps, step.cutOff, call);
    else await patience.pause(name, step.running.state.status, opOf(step.running.state), call);
  }
}

/** The operation of a state; `ready` has none. */
export function opOf(state: VolumeState): Operation | undefined {
  return state.status === 'ready' ? undefined : state.op;
}

/**
 * Writes the outcome of an operation, if the volume still is what the operation works on: somebody may have forgotten
 * it meanwhile. `undefined` deletes the record. `before` runs under the same lock. False when there was nothing to write to.
 */
export async function conclude(
  deps: StoreDeps,
  record: VolumeRecord,
  state: VolumeState | undefined,
  before?: () => void,
): Promise<boolean> {
  const op = opOf(record.state);
  // Not the caller's signal: an outcome that is known must be written down.
  return await deps.files.locked(record.name, {}, () => {
    const current = deps.files.find(record.name);
    if (current?.instance !== record.instance || opOf(current.state)?.token !== op?.token) return false;
    before?.();
    if (state === undefined) deps.files.delete(current);
    else deps.files.write({ ...current, state });
    return true;
  });
}

/** A volume that this process works on. */
export interface ClaimedRecord extends VolumeRecord {
  readonly state: Exclude<VolumeState, { readonly status: 'ready' }> & { readonly op: Operation };
}

function claim(deps: StoreDeps, record: VolumeRecord): ClaimedRecord {
  return begin(deps, record, record.state.status as ClaimedRecord['state']['status']);
}

/** Writes down that this process is about to do something to the volume. The caller holds the lock, and ends the operation. */
export function begin(
  deps: Pick<StoreDeps, 'files' | 'operations'>,
  record: VolumeRecord,
  status: ClaimedRecord['state']['status'],
): ClaimedRecord {
  const op = deps.operations.begin();
  const claimed: ClaimedRecord = { ...record, state: { status, op } };
  try {
    deps.files.write(claimed);
  } catch (error) {
    deps.operations.end(op);
    throw error;
  }
  return claimed;
}

/** Finishes what a dead process began. When the driver fails the volume stays as it was, for the next who needs it. */
async function takeOver(deps: StoreDeps, record: ClaimedRecord, call: CallOptions): Promise<void> {
  const { op, ...unowned } = record.state;
  try {
    const outcome = await bringToEnd(deps, record, call);
    const written = await conclude(deps, record, outcome === 'exists' ? { status: 'ready' } : undefined);
    if (!written || unowned.status === 'doubtful' || outcome === 'never-was') return;
    const action = outcome === 'exists' ? 'create' : 'destroy';
    deps.emit({ type: 'volume', action, id: record.name, attributes: volumeAttributes(record) });
  } catch (error) {
    await conclude(deps, record, unowned);
    throw error;
  } finally {
    deps.operations.end(op);
  }
}

async function bringToEnd(
  deps: StoreDeps,
  record: ClaimedRecord,
  call: CallOptions,
): Promise<'exists' | 'gone' | 'never-was'> {
  const { name, state, options, anonymous } = record;
  const driver = await deps.drivers.get(record.driver, call);
  if (state.status === 'removing') {
    await driver.remove(name, call);
    return 'gone';
  }
  if (state.status === 'creating' && anonymous) {
    // Nobody was ever told its name, so nobody can want it.
    await driver.remove(name, call);
    return 'never-was';
  }
  if ((await driver.get(name, call)) === undefined) return state.status === 'creating' ? 'never-was' : 'gone';
  // It may be half-made. Removing it instead could remove what another made outside of this store.
  if (state.status === 'creating') await driver.create({ name, options }, call);
  return 'exists';
}
