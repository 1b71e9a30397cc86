import { existsSync, type FSWatcher, watch } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type CallOptions, listenForAbort, throwIfAborted } from '../util/signals.js';

const BLOCK_BYTES = 256 << 10;
const POLL_MS = 1_000;
const MAX_RECORD_BYTES = 4 << 20;

export interface FollowOptions extends CallOptions {
  readonly follow: boolean;
  /** Nothing more will be written once it settles or gives true. */
  readonly ended: Promise<void> | (() => boolean) | undefined;
}

/** A whole line without its newline and where it starts; `reset` when what came before is not continued (rotation, truncation). */
export interface RawLine {
  readonly line: Buffer;
  readonly start: number;
  readonly reset: boolean;
}

/** Opens a file for reading; `undefined` when there is none. */
export async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Reads a file by lines, from `offset`, and goes on with what is appended while `follow`. A file renamed away is read
 * to its end before the new one at the path; a truncated one is read from its start. A last line without newline is
 * kept back until it is whole, and dropped when it never is.
 */
export async function* followLines(
  path: string,
  first: FileHandle | undefined,
  offset: number,
  options: FollowOptions,
): AsyncIterable<RawLine> {
  let file = first;
  let position = offset;
  let pending: Buffer = Buffer.alloc(0);
  let reset = false;
  let replaced = false;
  const block = Buffer.alloc(BLOCK_BYTES);
  const state = endState(options.ended);
  try {
    for (;;) {
      throwIfAborted(options.signal);
      // Asked before reading: what was written until then is still given out.
      const last = !options.follow || state.ended();
      file ??= await openIfThere(path);
      if (file !== undefined && options.follow && (await file.stat()).size < position) {
        position = 0;
        pending = Buffer.alloc(0);
        reset = true;
      }
      for (;;) {
        const bytesRead = file === undefined ? 0 : (await file.read(block, 0, BLOCK_BYTES, position)).bytesRead;
        if (bytesRead === 0) break;
        let start = position - pending.length;
        position += bytesRead;
        const fresh = block.subarray(0, bytesRead);
        const text = pending.length === 0 ? Buffer.from(fresh) : Buffer.concat([pending, fresh]);
        let from = 0;
        for (let newline = text.indexOf(0x0a); newline >= 0; newline = text.indexOf(0x0a, from)) {
          yield { line: text.subarray(from, newline), start: start + from, reset };
          reset = false;
          from = newline + 1;
        }
        start += from;
        pending = text.length - from > MAX_RECORD_BYTES ? Buffer.alloc(0) : text.subarray(from);
        throwIfAborted(options.signal);
      }
      if (options.follow && file !== undefined && (await isReplaced(file, path))) {
        // Once more: it may have got its last bytes between our read and its renaming.
        if (!replaced) {
          replaced = true;
          continue;
        }
        replaced = false;
        await file.close();
        file = undefined;
        position = 0;
        pending = Buffer.alloc(0);
        reset = true;
        continue;
      }
      if (last) return;
      await change(path, state.promise, options.signal);
    }
  } finally {
    await file?.close();
  }
}

async function isReplaced(file: FileHandle, path: string): Promise<boolean> {
  try {
    const [ours, there] = await Promise.all([file.stat(), stat(path)]);
    return ours.ino !== there.ino || ours.dev !== there.dev;
  } catch {
    return false;
  }
}

function endState(ended: FollowOptions['ended']): { ended: () => boolean; promise: Promise<void> | undefined } {
  if (ended === undefined) return { ended: () => false, promise: undefined };
  if (typeof ended === 'function') return { ended, promise: undefined };
  let done = false;
  const settle = () => {
    done = true;
  };
  return { ended: () => done, promise: ended.then(settle, settle) };
}

/** Resolves when the file may have changed. Keeps the process alive: somebody reads. */
function change(path: string, ended: Promise<void> | undefined, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    let watcher: FSWatcher | undefined;
    const done = () => {
      watcher?.close();
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    // An append between the last read and the watch is noticed by the poll only.
    // allow timer: a reader waits for it, and `done` clears it
    const timer = setTimeout(done, POLL_MS);
    try {
      // A file that is not there yet appears in its directory.
      watcher = watch(existsSync(path) ? path : dirname(path), done);
      watcher.on('error', done);
    } catch {
      // Inotify is exhausted: the poll serves.
    }
    ended?.then(done);
    listenForAbort(signal, done);
    if (signal?.aborted) done();
  });
}
