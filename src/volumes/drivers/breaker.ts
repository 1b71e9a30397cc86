import type { BreakerOptions } from './limits.js';

/** One call that the breaker let through: say once how it went. */
export interface BreakerPass {
  /** The driver answered; whether it agreed does not matter. */
  answered(): void;
  /** The driver could not be reached or did not answer in time. */
  silent(because: string): void;
  /** The caller gave up: nothing was learnt. */
  abandoned(): void;
}

/** Why a call is not let through. */
export interface Suspension {
  readonly retryAfterMs: number;
  readonly because: string;
}

/**
 * Spares callers the wait for a driver that does not answer: after some silent calls in a row it lets none through for
 * a while, then one as a probe. An answer opens the way for all again, silence doubles the wait.
 */
export class Breaker {
  readonly #options: Required<BreakerOptions>;
  readonly #now: () => number;
  #silent = 0;
  #because = '';
  #cooldownMs: number;
  /** When a probe may go; undefined while calls pass freely. */
  #retryAt: number | undefined;
  #isProbing = false;

  constructor(options: Required<BreakerOptions>, now: () => number = () => performance.now()) {
    this.#options = options;
    this.#now = now;
    this.#cooldownMs = options.cooldownMs;
  }

  get isSuspended(): boolean {
    return this.#retryAt !== undefined;
  }

  get hasSilence(): boolean {
    return this.#silent > 0;
  }

  /** A pass for one call, or why there is none. */
  admit(): BreakerPass | Suspension {
    const retryAt = this.#retryAt;
    if (retryAt === undefined) return this.#pass(false);
    const waitMs = retryAt - this.#now();
    if (waitMs <= 0 && !this.#isProbing) {
      this.#isProbing = true;
      return this.#pass(true);
    }
    return { retryAfterMs: Math.max(0, Math.ceil(waitMs)), because: this.#because };
  }

  #pass(isProbe: boolean): BreakerPass {
    const done = () => {
      if (isProbe) this.#isProbing = false;
    };
    return {
      answered: () => {
        done();
        this.#silent = 0;
        this.#retryAt = undefined;
        this.#cooldownMs = this.#options.cooldownMs;
      },
      silent: (because) => {
        done();
        this.#because = because;
        if (isProbe) {
          this.#cooldownMs = Math.min(this.#cooldownMs * 2, this.#options.maxCooldownMs);
          this.#suspend();
        } else if (this.#retryAt === undefined && ++this.#silent >= this.#options.failures) this.#suspend();
      },
      abandoned: done,
    };
  }

  #suspend(): void {
    this.#retryAt = this.#now() + this.#cooldownMs;
  }
}
