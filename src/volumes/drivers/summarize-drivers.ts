import { EngineError, type ErrorCode } from '../../errors/index.js';
import type { CallOptions } from '../../util/signals.js';
import type { PluginProblem } from '../plugin-lookup.js';
import type { VolumeScope } from '../volume-driver.js';
import type { DriverSource, GuardedDriver } from './guarded-driver.js';

/** Why something is not known about a driver. @public */
export interface DriverProblem {
  /** What can be done about it. */
  readonly code: ErrorCode;
  /** What happened. */
  readonly reason: string;
  /** The same in words. */
  readonly message: string;
}

/** A driver in a list. @public */
export interface DriverSummary {
  /** Full name, with its tag where it has one. */
  readonly name: string;
  /** Where it comes from. */
  readonly source: DriverSource;
  /** Where its volumes exist; absent when it did not say, see `problem`. */
  readonly scope?: VolumeScope;
  /** True while it is left alone because it did not answer. */
  readonly isSuspended: boolean;
  /** Who holds leases of it in this process. */
  readonly holders: readonly string[];
  /** Why it could not be asked. */
  readonly problem?: DriverProblem;
}

/** A list does not wait as long as an operation on a volume would. */
const LIST_LIMIT_MS = 5_000;

/** What the driver says of itself; one that does not answer soon is listed with its problem. */
export async function summarizeDriver(
  driver: GuardedDriver,
  holders: readonly string[],
  call: CallOptions,
): Promise<DriverSummary> {
  const summary = { name: driver.name, source: driver.source, holders };
  const limit = AbortSignal.timeout(LIST_LIMIT_MS);
  const signal = call.signal === undefined ? limit : AbortSignal.any([call.signal, limit]);
  try {
    return { ...summary, scope: await driver.scope({ signal }), isSuspended: driver.isSuspended };
  } catch (error) {
    if (call.signal?.aborted) throw error;
    return { ...summary, isSuspended: driver.isSuspended, problem: toProblem(error) };
  }
}

/** A plugin that is there but could not be asked what it is. */
export function summarizeProblem({ name, error }: PluginProblem, holders: readonly string[]): DriverSummary {
  return { name, source: 'plugin', holders, isSuspended: false, problem: toProblem(error) };
}

function toProblem(error: unknown): DriverProblem {
  if (EngineError.is(error)) return { code: error.code, reason: error.reason, message: error.message };
  return { code: 'INTERNAL', reason: 'DRIVER_FAILED', message: error instanceof Error ? error.message : String(error) };
}
