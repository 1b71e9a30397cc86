import { statSync } from 'node:fs';
import { engineError } from '../errors/index.js';
import type { ResourceOptions } from './container-options.js';
import { deviceNumber } from './devices.js';
import { badField } from './fail.js';
import type { OciResources } from './oci-types.js';

/** Period of `cpus`, microseconds. */
const CPU_PERIOD_US = 100_000;

export interface ResourceFacts {
  readonly cgroupVersion: 1 | 2;
  /** False where the kernel counts no swap: the swap limit is left out then. @defaultValue true */
  readonly swapLimit?: boolean;
}

/**
 * Cgroup limits in the spec's v1 terms, which the runtimes convert for v2. Throws BAD_DEVICE for a throttled path that is
 * no block device and UNSUPPORTED_HOST for limits that only v1 has.
 */
export function buildResources(options: ResourceOptions, facts: ResourceFacts): OciResources {
  refuseMissingLimits(options, facts);
  const resources: OciResources = {};
  const memory = memoryLimits(options, facts);
  if (Object.keys(memory).length > 0) resources.memory = memory;
  const cpu = cpuLimits(options);
  if (Object.keys(cpu).length > 0) resources.cpu = cpu;
  if (options.pidsLimit !== undefined) resources.pids = { limit: options.pidsLimit };
  const blockIO = blockLimits(options);
  if (Object.keys(blockIO).length > 0) resources.blockIO = blockIO;
  return resources;
}

function memoryLimits(options: ResourceOptions, facts: ResourceFacts): NonNullable<OciResources['memory']> {
  const memory: NonNullable<OciResources['memory']> = {};
  const { memoryBytes, memorySwapBytes } = options;
  if (memoryBytes !== undefined) {
    memory.limit = memoryBytes;
    const swap = memorySwapBytes ?? Math.min(memoryBytes * 2, Number.MAX_SAFE_INTEGER);
    if (facts.swapLimit !== false) memory.swap = swap;
  }
  if (options.memoryReservationBytes !== undefined) memory.reservation = options.memoryReservationBytes;
  if (options.memorySwappiness !== undefined) memory.swappiness = options.memorySwappiness;
  if (options.oomKillDisable === true) memory.disableOOMKiller = true;
  return memory;
}

function cpuLimits(options: ResourceOptions): NonNullable<OciResources['cpu']> {
  const cpu: NonNullable<OciResources['cpu']> = {};
  if (options.cpuShares !== undefined) cpu.shares = options.cpuShares;
  if (options.cpus !== undefined) {
    cpu.period = CPU_PERIOD_US;
    cpu.quota = Math.round(options.cpus * CPU_PERIOD_US);
  }
  if (options.cpuQuotaUs !== undefined) cpu.quota = options.cpuQuotaUs;
  if (options.cpuPeriodUs !== undefined) cpu.period = options.cpuPeriodUs;
  if (options.cpusetCpus !== undefined) cpu.cpus = options.cpusetCpus;
  if (options.cpusetMems !== undefined) cpu.mems = options.cpusetMems;
  return cpu;
}

function blockLimits(options: ResourceOptions): NonNullable<OciResources['blockIO']> {
  const blockIO: NonNullable<OciResources['blockIO']> = {};
  if (options.blkioWeight !== undefined) blockIO.weight = options.blkioWeight;
  if (options.deviceReadBps?.length) blockIO.throttleReadBpsDevice = throttles('deviceReadBps', options.deviceReadBps);
  if (options.deviceWriteBps?.length) {
    blockIO.throttleWriteBpsDevice = throttles('deviceWriteBps', options.deviceWriteBps);
  }
  if (options.deviceReadIops?.length) {
    blockIO.throttleReadIOPSDevice = throttles('deviceReadIops', options.deviceReadIops);
  }
  if (options.deviceWriteIops?.length) {
    blockIO.throttleWriteIOPSDevice = throttles('deviceWriteIops', options.deviceWriteIops);
  }
  return blockIO;
}

function throttles(field: string, limits: NonNullable<ResourceOptions['deviceReadBps']>) {
  return limits.map(({ path, rate }, i) => {
    const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
    if (!stat?.isBlockDevice())
      throw badField('BAD_DEVICE', `${field}[${i}].path`, path, 'is no block device of the host');
    return { ...deviceNumber(stat.rdev), rate };
  });
}

function refuseMissingLimits(options: ResourceOptions, facts: ResourceFacts): void {
  if (facts.cgroupVersion === 1) return;
  const field =
    options.memorySwappiness !== undefined ? 'memorySwappiness' : options.oomKillDisable ? 'oomKillDisable' : undefined;
  if (field === undefined) return;
  throw engineError('UNSUPPORTED_HOST', `field ${field} needs cgroup v1 and this host has v2`, {
    details: { field, feature: 'cgroup v1' },
  });
}
