import type { HostFacts as SpecHostFacts } from '../spec/index.js';
import type { HostFacts } from '../sysinfo/index.js';

/** The part of the host's facts that spec generation needs. */
export function specFacts(facts: HostFacts): SpecHostFacts {
  return {
    cgroupVersion: facts.cgroup.mode === 'v2' ? 2 : 1,
    lastCapability: facts.lastCapability,
    seccomp: facts.seccomp,
    architecture: process.arch,
    kernelVersion: facts.kernelVersion,
  };
}
