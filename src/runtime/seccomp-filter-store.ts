import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { writeFileAtomic } from '../state/index.js';
import type { RuntimeBinary } from './oci-runtime.js';

// cBPF instructions of 8 bytes, 4096 at most (BPF_MAXINSNS).
const INSTRUCTION_BYTES = 8;
const FILTER_BYTES_MAX = 4096 * INSTRUCTION_BYTES;

/** True for bytes that can be a whole seccomp filter. */
export function isFilter(bytes: Uint8Array): boolean {
  return bytes.length > 0 && bytes.length <= FILTER_BYTES_MAX && bytes.length % INSTRUCTION_BYTES === 0;
}

/**
 * Compiled seccomp filters on disk, each under a key of what it depends on: the profile, the runtime's very version
 * and the architecture. Only filters that were seen in force are stored.
 */
export class SeccompFilterStore {
  readonly #dir: string;
  readonly #known = new Map<string, string | undefined>();

  constructor(dir: string) {
    this.#dir = dir;
  }

  keyOf(binary: RuntimeBinary, seccompJson: string): string {
    const facts = JSON.stringify([binary.flavor, binary.version, process.arch, seccompJson]);
    return createHash('sha256').update(facts).digest('hex');
  }

  /** Base64 of the filter; looked for on disk once per key. */
  find(key: string): string | undefined {
    if (!this.#known.has(key)) this.#known.set(key, this.#read(key));
    return this.#known.get(key);
  }

  store(key: string, filter: Buffer): void {
    mkdirSync(this.#dir, { recursive: true, mode: 0o700 });
    writeFileAtomic(`${this.#dir}/${key}.bpf`, filter, { durable: false });
    this.#known.set(key, filter.toString('base64'));
  }

  #read(key: string): string | undefined {
    try {
      const bytes = readFileSync(`${this.#dir}/${key}.bpf`);
      return isFilter(bytes) ? bytes.toString('base64') : undefined;
    } catch {
      return undefined;
    }
  }
}
