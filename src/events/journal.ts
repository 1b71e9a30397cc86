import { engineError, quote } from '../errors/index.js';
import { ensureDirectory } from '../state/index.js';
import type { EngineEvent } from './event.js';
import type { EventInput } from './event-line.js';
import { JournalReader, type ReadOptions } from './journal-reader.js';
import { JournalWriter } from './journal-writer.js';

export interface EventJournalOptions {
  /** Directory of the journal; made when missing. All processes of a root use the same. */
  readonly dir: string;
  /** A segment that grew beyond this is closed and a new one begun. Default 4 MiB. Processes may differ. */
  readonly maxSegmentBytes?: number;
  /** How many segments stay, the current one included. Default 4, at least 2. */
  readonly keepSegments?: number;
}

/**
 * The events of a root, written by every process that has it open and read by any, in one order without gaps or
 * repeats. A reader whose place is no longer kept gets an `overflow` event instead of silence.
 */
export class EventJournal {
  readonly #dir: string;
  readonly #writer: JournalWriter;

  constructor(options: EventJournalOptions) {
    const { dir, maxSegmentBytes = 4 * 1024 * 1024, keepSegments = 4 } = options;
    assertCount('maxSegmentBytes', maxSegmentBytes, 1);
    assertCount('keepSegments', keepSegments, 2);
    ensureDirectory(dir);
    this.#dir = dir;
    this.#writer = new JournalWriter({ dir, maxSegmentBytes, keepSegments });
  }

  /** Adds an event; every follower on this host sees it at once. Takes no lock. Throws DISK_FULL. */
  append(event: EventInput): void {
    this.#writer.append(event);
  }

  /**
   * Reads events. The place to start from is fixed by this call; files and watches are held from the first `next()`
   * to the end of the loop. A waiting loop keeps the process running, an abandoned one does not.
   */
  read(options: ReadOptions): AsyncIterableIterator<EngineEvent> {
    return new JournalReader(this.#dir, options);
  }

  /** Frees the file that `append` holds open; a later append opens it again. Readers are not affected. */
  close(): void {
    this.#writer.close();
  }
}

function assertCount(field: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw engineError('BAD_OPTION', `${field} ${quote(value)} is not a whole number of at least ${least}`, {
    details: { field, value: quote(value) },
  });
}
