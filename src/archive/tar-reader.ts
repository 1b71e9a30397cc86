import { type CallOptions, throwIfAborted } from '../util/signals.js';
import type { TarEntry } from './tar-entry.js';
import { TarParser, type TarSink } from './tar-parser.js';

/** An entry with its data, for `for await`. */
export interface TarReaderEntry {
  readonly entry: TarEntry;
  /**
   * The file's data in order (a hole of a sparse file comes as zeros). Can be read once, before the next entry is
   * asked for; what is not read is skipped. Each chunk is valid until the next one is asked for.
   */
  readonly data: AsyncIterable<Uint8Array>;
}

type Item = { entry: TarEntry } | { chunk: Buffer; position: number } | { end: true };

const ZEROS = Buffer.alloc(64 * 1024);

/**
 * Reads a tar archive entry by entry. Throws BAD_ARCHIVE where the archive breaks its format, CANCELED when the signal
 * aborts. The source is read to its end also behind the archive's end mark, so that a hash over it is complete.
 */
export async function* readTar(
  source: AsyncIterable<Uint8Array>,
  call: CallOptions = {},
): AsyncGenerator<TarReaderEntry, void, undefined> {
  const items = new TarItems(source, call);
  try {
    for (let item = await items.next(); item !== undefined; item = await items.next()) {
      if (!('entry' in item)) continue;
      yield { entry: item.entry, data: dataOf(item.entry, items) };
    }
  } finally {
    await items.close();
  }
}

async function* dataOf(entry: TarEntry, items: TarItems): AsyncGenerator<Uint8Array, void, undefined> {
  if (items.current !== entry) return;
  let position = 0;
  for (;;) {
    const item = await items.next();
    if (item === undefined || 'entry' in item) return;
    const until = 'end' in item ? entry.size : item.position;
    for (; position < until && entry.sparse !== undefined; ) {
      const count = Math.min(ZEROS.length, until - position);
      position += count;
      yield ZEROS.subarray(0, count);
    }
    if ('end' in item) return;
    position += item.chunk.length;
    yield item.chunk;
  }
}

/** Turns the pushed parser into one that is pulled: what one chunk of the source holds waits in a list. */
class TarItems implements TarSink {
  readonly #iterator: AsyncIterator<Uint8Array>;
  readonly #call: CallOptions;
  readonly #parser = new TarParser(this);
  #items: Item[] = [];
  #at = 0;
  #done = false;
  #failure: { readonly error: unknown } | undefined;
  /** The entry whose data comes next. */
  current: TarEntry | undefined;

  constructor(source: AsyncIterable<Uint8Array>, call: CallOptions) {
    this.#iterator = source[Symbol.asyncIterator]();
    this.#call = call;
  }

  onEntry(entry: TarEntry): void {
    this.#items.push({ entry });
  }

  onData(chunk: Buffer, position: number): void {
    this.#items.push({ chunk, position });
  }

  onEntryEnd(): void {
    this.#items.push({ end: true });
  }

  async next(): Promise<Item | undefined> {
    while (this.#at === this.#items.length) {
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#done) return undefined;
      this.#items = [];
      this.#at = 0;
      throwIfAborted(this.#call.signal);
      const result = await this.#iterator.next();
      this.#done = result.done === true;
      try {
        if (result.done === true) this.#parser.end();
        else this.#parser.push(result.value);
      } catch (error) {
        // What stood before the fault in the same chunk comes first, so that the chunks make no difference.
        this.#failure = { error };
      }
    }
    const item = this.#items[this.#at++] as Item;
    if ('entry' in item) this.current = item.entry;
    else if ('end' in item) this.current = undefined;
    return item;
  }

  async close(): Promise<void> {
    if (!this.#done) await this.#iterator.return?.();
  }
}
