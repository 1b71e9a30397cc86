import { engineError, quote } from '../../errors/index.js';
import { abortError, type CallOptions, listenForAbort, raceSignal, throwIfAborted } from '../../util/signals.js';
import { Breaker } from './breaker.js';
import { callDetails, type DriverCall, describeCall, saysSilent, timedOut, toDriverError } from './driver-error.js';
import type { DriverMethod, ResolvedLimits } from './limits.js';

/** What a driver is called with: the signal is always there, and nothing else, because drivers may refuse what they don't know. */
export interface DriverCallOptions extends CallOptions {
  readonly signal: AbortSignal;
}

/**
 * Runs the calls of one driver: each with its deadline, all behind one breaker, none waiting for another. A call that
 * is given up is told so through its signal and then forgotten, whatever becomes of it.
 */
export class CallRunner {
  readonly #driver: string;
  readonly #limits: ResolvedLimits;
  readonly #breaker: Breaker;

  constructor(driver: string, limits: ResolvedLimits) {
    this.#driver = driver;
    this.#limits = limits;
    this.#breaker = new Breaker(limits.breaker);
  }

  get isSuspended(): boolean {
    return this.#breaker.isSuspended;
  }

  /** True when the last call that ended got no answer. */
  get hasSilence(): boolean {
    return this.#breaker.hasSilence;
  }

  /**
   * Throws DRIVER_SUSPENDED without a call, DRIVER_TIMEOUT, what `toDriverError` makes of the driver's own error, or
   * CANCELED.
   */
  async run<T>(
    method: DriverMethod,
    volume: string | undefined,
    call: CallOptions,
    work: (call: DriverCallOptions) => Promise<T> | T,
  ): Promise<T> {
    throwIfAborted(call.signal);
    const subject: DriverCall = { driver: this.#driver, method, volume };
    const pass = this.#breaker.admit();
    if ('because' in pass) {
      throw engineError(
        'DRIVER_SUSPENDED',
        `${describeCall(subject)} was not tried, because the driver did not answer before (${quote(pass.because, 500)})`,
        { details: { ...callDetails(subject), retryAfterMs: pass.retryAfterMs } },
      );
    }

    const deadlineMs = this.#limits.deadlinesMs[method];
    const controller = new AbortController();
    const onAbort = () => controller.abort(call.signal?.reason);
    listenForAbort(call.signal, onAbort);
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = !controller.signal.aborted;
      controller.abort(new DOMException(`no answer within ${deadlineMs} ms`, 'TimeoutError'));
    }, deadlineMs);
    timer.unref();
    try {
      // Async, so that what a driver throws at once, or from an odd `then`, is a rejection like any other.
      const answer = (async () => await work({ signal: controller.signal }))();
      const result = await raceSignal(answer, controller.signal);
      pass.answered();
      return result;
    } catch (thrown) {
      if (controller.signal.aborted && !isLate) {
        pass.abandoned();
        throw abortError(controller.signal);
      }
      const error = isLate ? timedOut(subject, deadlineMs) : toDriverError(subject, thrown);
      if (saysSilent(error)) pass.silent(error.message);
      else pass.answered();
      throw error;
    } finally {
      clearTimeout(timer);
      call.signal?.removeEventListener('abort', onAbort);
    }
  }
}
