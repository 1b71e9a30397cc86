import { closeSync, readFileSync } from 'node:fs';
import { sealedMemfd } from '../os/syscalls/index.js';
import type { RuntimeBinary } from './oci-runtime.js';

/** A copy of a runtime in memory that can't be written; close it with the engine. */
export interface SealedBinary extends Disposable {
  /** Executable for as long as this process lives and the copy is open; `undefined` afterwards. */
  path(): string | undefined;
}

/**
 * Copies crun into a sealed memory file. crun protects its own executable from the container by copying itself into one
 * at every start, unless it runs from one already: a copy made once keeps the protection and saves that work.
 * `undefined` for other runtimes, which gain nothing, and where the kernel refuses.
 */
export function sealRuntime(binary: RuntimeBinary): SealedBinary | undefined {
  if (binary.flavor !== 'crun') return undefined;
  let fd: number | undefined;
  try {
    fd = sealedMemfd(binary.name, readFileSync(binary.path));
  } catch {
    return undefined;
  }
  return {
    path: () => (fd === undefined ? undefined : `/proc/${process.pid}/fd/${fd}`),
    [Symbol.dispose]() {
      if (fd !== undefined) closeSync(fd);
      fd = undefined;
    },
  };
}
