import { setImmediate as nextTurn } from 'node:timers/promises';
import { errnoOf } from '../os/syscalls/index.js';
import { ioError } from '../state/index.js';
import { abortError, listenForAbort } from '../util/signals.js';
import { DirectoryWatch } from './directory-watch.js';
import { type EngineEvent, type EventFilter, eventMatcher } from './event.js';
import { JournalCursor } from './journal-cursor.js';

export interface ReadOptions {
  /** Events behind this `seq`, or not before this time. Default: what comes from now on when following, else all kept. */
  readonly since?: number | Date;
  /** No event after this time; following ends then. */
  readonly until?: Date;
  /** Overflow events are delivered whatever the filter. */
  readonly filter?: EventFilter;
  /** Go on with events as they happen, until the loop is left or the signal aborts. */
  readonly follow: boolean;
  /** Aborting it ends the iteration with CANCELED. */
  readonly signal?: AbortSignal;
}

type Result = IteratorResult<EngineEvent, undefined>;

const DONE: Result = { value: undefined, done: true };
const LONGEST_TIMER_MS = 2_147_483_647;

/** One reader of the journal: history, then live events, in the order of their positions. */
export class JournalReader implements AsyncIterableIterator<EngineEvent, undefined> {
  readonly #dir: string;
  readonly #options: ReadOptions;
  readonly #cursor: JournalCursor;
  readonly #wanted: (event: EngineEvent) => boolean;
  #ready: EngineEvent[] = [];
  #watch: DirectoryWatch | undefined;
  #untilTimer: NodeJS.Timeout | undefined;
  #state: 'new' | 'open' | 'closed' = 'new';
  /** Set when the next time that nothing is left to read is the end. */
  #last: boolean;
  #changed = false;
  #wake: (() => void) | undefined;
  #tail: Promise<unknown> = Promise.resolve();
  readonly #notice = () => {
    this.#changed = true;
    this.#wake?.();
  };

  /** Fixes the place to start from now, not at the first `next()`: what happens after this call is not missed. */
  constructor(dir: string, options: ReadOptions) {
    const { since, until, follow } = options;
    const matches = eventMatcher(options.filter);
    this.#dir = dir;
    this.#options = options;
    this.#last = !follow;
    this.#cursor = this.#guard(() => new JournalCursor(dir, since ?? (follow ? 'now' : 'oldest')));
    this.#wanted = (event) => {
      if (event.type === 'engine' && event.action === 'overflow') return true;
      if (since instanceof Date && event.time < since) return false;
      return (until === undefined || event.time <= until) && matches(event);
    };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Result> {
    const result = this.#tail.then(() => this.#pull());
    this.#tail = result.catch(() => {});
    return result;
  }

  /** Frees the watch and the file at once, also while a `next()` waits. */
  return(): Promise<Result> {
    this.#close();
    return Promise.resolve(DONE);
  }

  async #pull(): Promise<Result> {
    try {
      for (;;) {
        if (this.#state === 'closed') return DONE;
        if (this.#options.signal?.aborted) throw abortError(this.#options.signal);
        const event = this.#ready.shift();
        if (event !== undefined) return { value: event, done: false };
        if (this.#state === 'new') this.#open();
        await this.#fill();
      }
    } catch (error) {
      this.#close();
      throw error;
    }
  }

  /** Reads one chunk, or waits for something to read, or closes at the end. */
  async #fill(): Promise<void> {
    this.#changed = false;
    const over = !this.#options.follow && this.#cursor.position >= this.#cursor.end;
    const events = over ? undefined : this.#guard(() => this.#cursor.read());
    if (events !== undefined) {
      this.#ready = events.filter(this.#wanted);
      // A long history must not block the host: one chunk per turn of the event loop.
      if (this.#ready.length === 0) await nextTurn();
    } else if (this.#last) this.#close();
    else await this.#change();
  }

  #open(): void {
    this.#state = 'open';
    const { follow, signal, until } = this.#options;
    listenForAbort(signal, this.#notice);
    if (!follow) return;
    this.#watch = new DirectoryWatch(this.#dir, this.#notice);
    if (until === undefined) return;
    const left = Math.min(Math.max(until.getTime() - Date.now() + 1, 0), LONGEST_TIMER_MS);
    this.#untilTimer = setTimeout(() => {
      this.#last = true;
      this.#notice();
    }, left);
    this.#untilTimer.unref();
  }

  #close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#options.signal?.removeEventListener('abort', this.#notice);
    clearTimeout(this.#untilTimer);
    this.#watch?.close();
    this.#cursor.close();
    this.#ready = [];
    this.#notice();
  }

  async #change(): Promise<void> {
    if (this.#changed) return;
    this.#watch?.hold();
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = undefined;
    if (this.#state !== 'closed') this.#watch?.letGo();
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw errnoOf(error) === undefined ? error : ioError('read event journal', this.#dir, error);
    }
  }
}
