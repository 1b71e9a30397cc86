import { raceSignal } from '../../util/signals.js';
import type { Token } from './token-request.js';

interface Pending {
  readonly token: Promise<Token>;
  readonly abort: AbortController;
  waiters: number;
}

const MAX_TOKENS = 512;

/** Tokens by what they are for. Callers that want the same one at once wait for one request. */
export class TokenCache {
  readonly #tokens = new Map<string, Token>();
  readonly #pending = new Map<string, Pending>();

  /** A token that is still good, or what `buy` gives; `buy` is aborted when nobody waits any more. */
  async get(key: string, signal: AbortSignal, buy: (signal: AbortSignal) => Promise<Token>): Promise<Token> {
    const kept = this.#tokens.get(key);
    if (kept !== undefined && kept.goodUntil > performance.now()) return kept;
    let pending = this.#pending.get(key);
    if (pending === undefined) {
      const abort = new AbortController();
      const token = buy(abort.signal).then((bought) => {
        this.#keep(key, bought);
        return bought;
      });
      pending = { token, abort, waiters: 0 };
      const mine = pending;
      this.#pending.set(key, mine);
      const forget = () => {
        if (this.#pending.get(key) === mine) this.#pending.delete(key);
      };
      token.then(forget, forget);
    }
    pending.waiters++;
    try {
      return await raceSignal(pending.token, signal);
    } finally {
      pending.waiters--;
      if (pending.waiters === 0) {
        if (this.#pending.get(key) === pending) this.#pending.delete(key);
        pending.abort.abort(signal.reason);
      }
    }
  }

  /** Drops a token, unless another has taken its place. */
  forget(key: string, value: string): void {
    if (this.#tokens.get(key)?.value === value) this.#tokens.delete(key);
  }

  #keep(key: string, token: Token): void {
    this.#tokens.delete(key);
    if (token.goodUntil > performance.now()) this.#tokens.set(key, token);
    for (const oldest of this.#tokens.keys()) {
      if (this.#tokens.size <= MAX_TOKENS) break;
      this.#tokens.delete(oldest);
    }
  }
}
