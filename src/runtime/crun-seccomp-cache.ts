import { createHash } from 'node:crypto';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { makePrivateDir } from '../os/private-dir.js';
import { newToken } from '../util/ids.js';

/** crun takes a compiled filter in this annotation, base64; `linux.seccomp` must then be left out of the spec. */
export const SECCOMP_BPF_ANNOTATION = 'run.oci.seccomp_bpf_data';

/** More is no filter: the kernel takes 4096 instructions of 8 bytes, and a filter for each of three architectures is far below. */
const MAX_BPF_BYTES = 4096 * 8;
const INSTRUCTION_BYTES = 8;

/** Compiled seccomp filters of crun: compiling one costs more than the rest of starting a container. */
export interface CrunSeccompCache {
  /** The annotation's value for this profile, or `undefined` when it was never learned. */
  find(seccompJson: string): string | undefined;
  /** Takes the filter that crun left with a container it created from this profile. False when there is none to take. */
  learn(seccompJson: string, crunRoot: string, id: string): boolean;
}

/** `dir` is made, 0700. Files are keyed by profile, crun version and architecture: each changes the filter. */
export function createCrunSeccompCache(deps: { readonly dir: string; readonly crunVersion: string }): CrunSeccompCache {
  const known = new Map<string, string>();

  const pathOf = (seccompJson: string): string => {
    const hash = createHash('sha256');
    for (const part of [process.arch, deps.crunVersion, seccompJson]) hash.update(part).update('\0');
    return `${deps.dir}/${hash.digest('hex')}`;
  };

  return {
    find(seccompJson) {
      const path = pathOf(seccompJson);
      const cached = known.get(path);
      if (cached !== undefined) return cached;
      const value = readFilter(path);
      if (value !== undefined) known.set(path, value);
      return value;
    },
    learn(seccompJson, crunRoot, id) {
      const path = pathOf(seccompJson);
      if (known.has(path)) return true;
      const bpf = readFile(`${crunRoot}/${id}/seccomp.bpf`);
      if (bpf === undefined || !isFilter(bpf)) return false;
      const value = bpf.toString('base64');
      makePrivateDir(deps.dir);
      const temp = `${path}.${newToken()}.tmp`;
      try {
        writeFileSync(temp, withChecksum(value), { mode: 0o600, flag: 'wx' });
        renameSync(temp, path);
      } finally {
        rmSync(temp, { force: true });
      }
      known.set(path, value);
      return true;
    },
  };
}

/** A torn or foreign file would be a weaker filter, or none: it counts as absent. */
function readFilter(path: string): string | undefined {
  const text = readFile(path)?.toString('latin1');
  if (text === undefined) return undefined;
  const value = text.slice(text.indexOf('\n') + 1);
  return withChecksum(value) === text && isFilter(Buffer.from(value, 'base64')) ? value : undefined;
}

function withChecksum(value: string): string {
  return `${createHash('sha256').update(value).digest('hex')}\n${value}`;
}

function isFilter(bpf: Buffer): boolean {
  return bpf.length > 0 && bpf.length <= MAX_BPF_BYTES && bpf.length % INSTRUCTION_BYTES === 0;
}

function readFile(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}
