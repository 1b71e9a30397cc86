import { engineError } from '../errors/index.js';
import { type Check, checkBoolean, integer, list, plainObject, text } from './check.js';
import { checkRecord, recordChecks } from './check-record.js';
import type { ResourceOptions, UlimitOptions } from './container-options.js';
import { badField } from './fail.js';
import { ULIMIT_NAMES } from './rlimits.js';

/** Docker's least memory limit: below it the runtime itself can't start. */
const MIN_MEMORY = 6 << 20;
/** The kernel's PID_MAX_LIMIT. */
const MAX_PIDS = 4_194_304;
/** More CPUs than any kernel is built for. */
const MAX_CPUS = 8192;
const MAX = Number.MAX_SAFE_INTEGER;

const memory = integer(MIN_MEMORY, MAX);

const RATE = recordChecks({
  path: text({ max: 4095, reason: 'BAD_DEVICE', pattern: /^\//, why: 'is not an absolute path' }),
  rate: integer(1, MAX),
});
const rates = list((field, value) => checkRecord(RATE, value, field, ['path', 'rate']));

export const RESOURCE_CHECKS: Readonly<Record<keyof ResourceOptions, Check>> = {
  memoryBytes: memory,
  memoryReservationBytes: memory,
  memorySwapBytes: integer(MIN_MEMORY, MAX, 'BAD_LIMIT', -1),
  memorySwappiness: integer(0, 100),
  oomKillDisable: checkBoolean,
  cpus: checkCpus,
  cpuShares: integer(2, 262_144),
  cpuQuotaUs: integer(1000, MAX, 'BAD_LIMIT', -1),
  cpuPeriodUs: integer(1000, 1_000_000),
  cpusetCpus: checkSet,
  cpusetMems: checkSet,
  pidsLimit: integer(1, MAX_PIDS, 'BAD_LIMIT', -1),
  blkioWeight: integer(10, 1000),
  deviceReadBps: rates,
  deviceWriteBps: rates,
  deviceReadIops: rates,
  deviceWriteIops: rates,
};

/** What limits say of one another. Throws BAD_LIMIT, CONFLICTING_OPTIONS. */
export function checkResourcesTogether(options: ResourceOptions): void {
  const { memoryBytes, memorySwapBytes, memoryReservationBytes } = options;
  if (memorySwapBytes !== undefined) {
    if (memoryBytes === undefined) {
      throw badField('BAD_LIMIT', 'memorySwapBytes', memorySwapBytes, 'needs memoryBytes beside it');
    }
    if (memorySwapBytes !== -1 && memorySwapBytes < memoryBytes) {
      throw badField('BAD_LIMIT', 'memorySwapBytes', memorySwapBytes, `is below memoryBytes, ${memoryBytes}`);
    }
  }
  if (memoryReservationBytes !== undefined && memoryBytes !== undefined && memoryReservationBytes > memoryBytes) {
    throw badField(
      'BAD_LIMIT',
      'memoryReservationBytes',
      memoryReservationBytes,
      `is above memoryBytes, ${memoryBytes}`,
    );
  }
  const other =
    options.cpuQuotaUs !== undefined ? 'cpuQuotaUs' : options.cpuPeriodUs !== undefined ? 'cpuPeriodUs' : '';
  if (options.cpus !== undefined && other !== '') {
    throw engineError('CONFLICTING_OPTIONS', `field cpus ${options.cpus} stands beside ${other}`, {
      details: { field: 'cpus', other },
    });
  }
}

/** One entry of `ulimits`. Throws BAD_ULIMIT. */
export function checkUlimit(field: string, value: unknown): UlimitOptions {
  plainObject(field, value);
  const ulimit = checkRecord(ULIMIT, value, field, ['name', 'soft', 'hard']) as unknown as UlimitOptions;
  const { soft, hard } = ulimit;
  if (hard !== -1 && (soft === -1 || soft > hard)) {
    throw badField('BAD_ULIMIT', `${field}.soft`, soft, `is above the hard limit, ${hard}`);
  }
  return ulimit;
}

const ULIMIT = recordChecks({
  name: (field, value) => {
    if (typeof value === 'string' && ULIMIT_NAMES.has(value)) return value;
    throw badField('BAD_ULIMIT', field, value, `is not one of ${[...ULIMIT_NAMES].join(', ')}`);
  },
  soft: integer(0, MAX, 'BAD_ULIMIT', -1),
  hard: integer(0, MAX, 'BAD_ULIMIT', -1),
});

function checkCpus(field: string, value: unknown): number {
  if (typeof value === 'number' && value >= 0.01 && value <= MAX_CPUS) return value;
  throw badField('BAD_LIMIT', field, value, `is not a number from 0.01 to ${MAX_CPUS}`);
}

/** A kernel list of CPUs or memory nodes: `0-2,4`. */
function checkSet(field: string, value: unknown): string {
  if (typeof value === 'string' && value.length <= 4096 && /^\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*$/.test(value)) {
    const backwards = value.split(',').find((range) => {
      const [first = '', last = first] = range.split('-');
      return Number(first) > Number(last);
    });
    if (backwards === undefined) return value;
  }
  throw badField('BAD_LIMIT', field, value, 'is not a list of numbers and ranges such as 0-2,4');
}
