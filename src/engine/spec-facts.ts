import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import type { HostFacts as SpecHostFacts } from '../spec/index.js';
import type { HostFacts } from '../sysinfo/index.js';

/** The part of the host's facts that spec generation needs. */
export function specFacts(facts: HostFacts): SpecHostFacts {
  return {
    cgroupVersion: facts.cgroup.mode === 'v2' ? 2 : 1,
    lastCapability: facts.lastCapability,
    // "Privileged" on a host that was itself stripped of something is what is left of it.
    capabilityMask: facts.capabilities,
    seccomp: facts.seccomp,
    architecture: process.arch,
    kernelVersion: facts.kernelVersion,
    swapLimit: countsSwap(facts),
    hostname: hostname(),
  };
}

function countsSwap(facts: HostFacts): boolean {
  const memory = facts.cgroup.controllers.get('memory');
  // In a v2 tree the root group has no such file; the kernel counts swap there unless it was built without any.
  return memory === undefined ? existsSync('/proc/swaps') : existsSync(`${memory}/memory.memsw.limit_in_bytes`);
}
