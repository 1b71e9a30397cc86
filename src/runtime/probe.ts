import { realpathSync } from 'node:fs';
import { type EngineError, engineError, quote } from '../errors/index.js';
import type { RunOutput } from '../os/child.js';
import { findExecutable, SYSTEM_ENV } from '../os/find-executable.js';
import type { CallOptions } from '../util/signals.js';
import type { RuntimeBinary, Spawner } from './oci-runtime.js';
import { runToEnd } from './run-to-end.js';

/** Oldest versions that are known to work: older ones lack fixes that the spec relies on. */
export const MINIMUM_VERSIONS = { runc: '1.1.0', crun: '1.0' } as const;

/** Cgroup set-up of the host, as `readCgroupLayout` tells it. */
export type CgroupMode = 'v1' | 'hybrid' | 'v2' | 'none';

export interface ProbeOptions extends CallOptions {
  /** When given, a runtime that can't run on such a host is refused. */
  readonly cgroupMode?: CgroupMode;
}

/**
 * Finds out what the runtime at `path` (a file name is looked up in the system's directories) is.
 * Throws RUNTIME_MISSING, RUNTIME_BROKEN (no usable `--version`), RUNTIME_TOO_OLD or RUNTIME_UNFIT.
 */
export async function probeRuntime(
  name: string,
  path: string,
  spawner: Spawner,
  options: ProbeOptions = {},
): Promise<RuntimeBinary> {
  const found = findExecutable(path);
  if (found === undefined) {
    throw engineError('RUNTIME_MISSING', `runtime ${quote(name)} at ${quote(path)} is not an executable file`, {
      details: { name, path },
    });
  }
  const real = realpathSync(found);
  let output: RunOutput;
  try {
    output = await runToEnd(spawner, { file: real, args: ['--version'], env: SYSTEM_ENV }, options);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw broken(name, real, 'can not be started', error);
  }
  if (output.code !== 0)
    throw broken(name, real, `ended its --version with ${output.code ?? `signal ${output.signal}`}`);
  const parsed = parseVersion(output.stdout);
  if (parsed === undefined) throw broken(name, real, `says ${quote(output.stdout.slice(0, 200))} to --version`);
  const binary = { name, path: real, ...parsed };
  assertFit(binary, options.cgroupMode);
  return binary;
}

/** Flavor and version in the text of `--version`; `undefined` when it has none. */
export function parseVersion(text: string): Pick<RuntimeBinary, 'flavor' | 'version'> | undefined {
  const match = /^\s*([a-zA-Z][\w-]*)\s+(?:version\s+)?v?(\d+(?:\.\d+){0,2}[^\s,]*)/.exec(text);
  const [, word, version] = match ?? [];
  if (word === undefined || version === undefined) return undefined;
  return { flavor: word === 'runc' || word === 'crun' ? word : 'other', version };
}

/** Compares the leading numbers of two versions: negative when `a` is older. Suffixes such as `-rc.1` or `+ds1` are not looked at. */
export function compareVersions(a: string, b: string): number {
  const left = numbers(a);
  const right = numbers(b);
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function assertFit(binary: RuntimeBinary, cgroupMode: CgroupMode | undefined): void {
  const { name, flavor, version, path } = binary;
  if (flavor === 'other') return;
  const minimum = MINIMUM_VERSIONS[flavor];
  if (compareVersions(version, minimum) < 0) {
    throw engineError('RUNTIME_TOO_OLD', `runtime ${quote(name)} is ${flavor} ${version}, not ${minimum} or later`, {
      details: { name, path, version, minimum },
    });
  }
  if (flavor === 'crun' && cgroupMode === 'hybrid') {
    throw engineError('RUNTIME_UNFIT', `runtime ${quote(name)} is crun, which refuses a host with hybrid cgroups`, {
      details: { name, path, cgroupMode },
    });
  }
}

function numbers(version: string): number[] {
  const match = /^v?(\d+(?:\.\d+)*)/.exec(version);
  return (match?.[1] ?? '0').split('.').map(Number);
}

function broken(name: string, path: string, what: string, cause?: unknown): EngineError {
  return engineError('RUNTIME_BROKEN', `runtime ${quote(name)} at ${quote(path)} ${what}`, {
    details: { name, path },
    ...(cause === undefined ? {} : { cause }),
  });
}
