import type { UlimitOptions } from './container-options.js';
import type { OciProcess } from './oci-types.js';

/** Names of setrlimit(2), as Docker spells them. */
export const ULIMIT_NAMES: ReadonlySet<string> = new Set([
  ...['core', 'cpu', 'data', 'fsize', 'locks', 'memlock', 'msgqueue', 'nice', 'nofile', 'nproc', 'rss', 'rtprio'],
  ...['rttime', 'sigpending', 'stack'],
]);

/** RLIM_INFINITY, 2^64-1, is no JavaScript number: Infinity stands for it until `stringifySpec`. */
export function buildRlimits(ulimits: readonly UlimitOptions[] | undefined): NonNullable<OciProcess['rlimits']> {
  return (ulimits ?? []).map(({ name, soft, hard }) => ({
    type: `RLIMIT_${name.toUpperCase()}`,
    hard: hard === -1 ? Number.POSITIVE_INFINITY : hard,
    soft: soft === -1 ? Number.POSITIVE_INFINITY : soft,
  }));
}
