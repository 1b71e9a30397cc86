import { EngineError } from '../../errors/index.js';
import { integer } from '../../spec/index.js';
import type { KnownOptions } from '../../util/known-options.js';
import type { CallOptions } from '../../util/signals.js';
import type { ContainerDeps } from '../deps.js';
import type { ContainerRecord } from '../record.js';
import { signalNumber } from '../signal-number.js';
import { isLive } from '../status.js';
import { killContainer } from './kill.js';
import { waitContainer } from './wait.js';

/** As long as a container's own stopTimeoutMs may be. */
const checkGrace = integer(0, 864_000_000);
/** Checked by the handle: it gives the call another signal. */
export const STOP: KnownOptions<StopContainerOptions> = { signal: true, timeoutMs: true, stopSignal: true };

/** Options of `container.stop`. @public */
export interface StopContainerOptions extends CallOptions {
  /** Grace before SIGKILL, milliseconds. @defaultValue the container's stopTimeoutMs, else 10000 */
  readonly timeoutMs?: number;
  /** First signal: a name with or without `SIG`, or a number. @defaultValue the container's stopSignal, else the image's, else SIGTERM */
  readonly stopSignal?: string | number;
}

/** Stops a container: its stop signal, then after the grace SIGKILL. One that does not run is left alone. */
export async function stopContainer(
  deps: ContainerDeps,
  id: string,
  options: StopContainerOptions = {},
): Promise<void> {
  if (options.timeoutMs !== undefined) checkGrace('timeoutMs', options.timeoutMs);
  if (options.stopSignal !== undefined) signalNumber(options.stopSignal);
  const record = deps.repository.read(id);
  if (!isLive(record.status)) return;
  const signal = options.stopSignal ?? record.options.stopSignal ?? imageSignal(record) ?? 'SIGTERM';
  const graceMs = options.timeoutMs ?? record.options.stopTimeoutMs ?? deps.config.defaultStopTimeoutMs;
  if (await ended(deps, record, signal, graceMs, options)) return;
  await ended(deps, record, 'SIGKILL', undefined, options);
}

async function ended(
  deps: ContainerDeps,
  { id, runs: run }: ContainerRecord,
  signal: string | number,
  withinMs: number | undefined,
  call: CallOptions,
): Promise<boolean> {
  const limit = withinMs === undefined ? undefined : AbortSignal.timeout(withinMs);
  const signals = [limit, call.signal].filter((one) => one !== undefined);
  try {
    // Another process may have started it anew since: that run is not the one to stop.
    if (deps.repository.read(id).runs !== run) return true;
    await killContainer(deps, id, signal, call);
    await waitContainer(deps, id, { run, ...(signals.length > 0 && { signal: AbortSignal.any(signals) }) });
    return true;
  } catch (error) {
    if (EngineError.is(error, 'FAILED_PRECONDITION') || EngineError.is(error, 'NOT_FOUND')) return true;
    if (limit?.aborted && !call.signal?.aborted) return false;
    throw error;
  }
}

/** The image's stop signal, unless there is no such signal: an image can't make its containers impossible to stop. */
function imageSignal({ image }: ContainerRecord): number | undefined {
  const signal = image?.config.stopSignal;
  try {
    return signal === undefined ? undefined : signalNumber(signal);
  } catch {
    return undefined;
  }
}
