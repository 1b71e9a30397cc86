import type { ContainerOptions } from './container-options.js';

/** What a container may not read: facts of the host's hardware, keys and timing. */
export const DEFAULT_MASKED_PATHS: readonly string[] = [
  ...['acpi', 'asound', 'interrupts', 'kcore', 'keys', 'latency_stats', 'sched_debug', 'scsi', 'timer_list'].map(
    (name) => `/proc/${name}`,
  ),
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
];

/** What a container may read but not write: the switches of the host's kernel. */
export const DEFAULT_READONLY_PATHS: readonly string[] = ['bus', 'fs', 'irq', 'sys', 'sysrq-trigger'].map(
  (name) => `/proc/${name}`,
);

/** A privileged container has neither list unless asked for. */
export function buildPathRules(options: ContainerOptions): { maskedPaths: string[]; readonlyPaths: string[] } {
  const unmasked = options.privileged === true;
  return {
    maskedPaths: [...(options.maskedPaths ?? (unmasked ? [] : DEFAULT_MASKED_PATHS))],
    readonlyPaths: [...(options.readonlyPaths ?? (unmasked ? [] : DEFAULT_READONLY_PATHS))],
  };
}
