import { type FSWatcher, watch } from 'node:fs';

const POLL_MS = 1_000;

/**
 * Tells that something in a directory may have changed: by the kernel's notice, and once a second for file systems
 * that send none. Keeps the process running only between `hold` and `letGo`.
 */
export class DirectoryWatch {
  #watcher: FSWatcher | undefined;
  readonly #poll: NodeJS.Timeout;
  #held = false;

  constructor(path: string, onChange: () => void) {
    this.#poll = setInterval(onChange, POLL_MS);
    this.#poll.unref();
    try {
      this.#watcher = watch(path, { persistent: true }, onChange);
      this.#watcher.unref();
      this.#watcher.on('error', () => this.#useOnlyPoll());
    } catch {
      // No watch left (they are limited per user) or no such directory yet: the poll is slower, not worse.
    }
  }

  hold(): void {
    this.#held = true;
    (this.#watcher ?? this.#poll).ref();
  }

  letGo(): void {
    this.#held = false;
    (this.#watcher ?? this.#poll).unref();
  }

  close(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    clearInterval(this.#poll);
  }

  #useOnlyPoll(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    if (this.#held) this.#poll.ref();
  }
}
